"""Labelled images in other people's layouts: find the labels and make a folder with ``labels.csv`` of them."""
