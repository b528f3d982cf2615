"""Ships that meet in the fairway."""
