from ._protocol import Protocol as Protocol
from ._verify import verify as verify
