"""What goes wrong in a split that was judged: slices, hard rows, wrong labels."""
