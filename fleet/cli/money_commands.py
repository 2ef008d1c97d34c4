"""What is asked about money: declarations only, what a command does is imported when it is called."""
