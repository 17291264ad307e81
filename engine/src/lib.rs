#![doc = include_str!("../README.md")]

pub mod error;
pub mod settings;
pub mod progress;
pub mod record;
mod token;
pub mod format;
pub mod template;
mod mask;
pub mod shape;
mod tally;
mod table;
mod aside;
mod event;
pub mod input;
pub mod cluster;
pub mod report;
pub mod recording;
mod fold;
pub mod pipeline;
pub mod evaluate;

pub use error::Error;
pub use input::Input;
pub use pipeline::analyze;
pub use progress::Progress;
pub use recording::Recorder;
pub use report::Report;
pub use settings::Settings;
