"""The same images through captcha-solver and other readers, each in its own environment, in turn in one run."""
