"""`write_bigwig`, which another room makes, in this one."""

from causalgia._reporting._curve_report import write_bigwig as write_bigwig
