"""What a network is: built, surveyed, recorded, made faster."""
