"""What is read from strangers, fed with bytes that a fuzzer makes: ``make fuzz``."""
