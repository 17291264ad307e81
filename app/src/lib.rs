//! `logkin`: command line, web app, and the balancer behind one door.

pub mod cli;
pub mod output;
pub mod commands;
