"""What a network learned: motifs, rules, and how much of its predictions they are. Built
beside `causalgia.discover`, which it is to replace; not public yet.
"""

from causalgia.audit._audit import Audit as Audit, audit as audit
