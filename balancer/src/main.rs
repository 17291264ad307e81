//! `logkin-balancer`: the balancer alone.

fn main() {}
