"""What a program will do, told before it runs: a schedule in words, bounds of time and samples, warnings."""
