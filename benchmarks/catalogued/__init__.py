"""What the page of the catalogue is made from: cases with known truth, trained
networks, control tests.
"""
