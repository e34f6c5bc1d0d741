return 64; // EX_USAGE: replaced by the child's entry
