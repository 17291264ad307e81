//! Starts the built programs on ports of their own, reads their ready line, stops them and keeps their logs.
