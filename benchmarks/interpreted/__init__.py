"""What the page of interpretation methods is made from: methods, gates, confounded
sequences, simulated grammars.
"""
