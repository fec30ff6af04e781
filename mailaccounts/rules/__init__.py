"""The rules decide: plain functions over plain values, without Django and without I/O."""
