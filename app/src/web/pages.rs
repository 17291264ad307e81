//! What people get, rendered here; every state is an address, and nothing needs a script.

pub mod home;
pub mod browse;
pub mod upload;
pub mod list;
pub mod report;
pub mod cluster;
