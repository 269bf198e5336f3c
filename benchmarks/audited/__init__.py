"""Audits of networks whose motifs and rules are known; written to docs/audit.md by
`benchmarks/audit_page.py`.
"""
