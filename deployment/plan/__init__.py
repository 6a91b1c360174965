"""What is to be asked of AWS, as data; nothing here asks it, or reads a file or a clock."""
