"""What experiments share: what one is, its answer, sequences, settings, figures and sentences."""
