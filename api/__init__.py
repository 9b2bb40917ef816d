"""The HTTP side: takes jobs, tells how far they are, hands out answers. It never reads an image itself."""
