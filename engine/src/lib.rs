#![doc = include_str!("../README.md")]

pub mod error;
pub mod progress;
pub mod record;
mod token;
mod tally;
pub mod format;
pub mod template;
mod mask;
pub mod shape;
pub mod rules;
pub mod settings;
mod table;
mod aside;
mod memo;
mod event;
pub mod input;
pub mod cluster;
pub mod report;
pub mod recording;
mod fold;
pub mod partial;
pub mod pipeline;
pub mod compare;
pub mod follow;
pub mod evaluate;

pub use error::Error;
pub use follow::Follow;
pub use input::Input;
pub use partial::Partial;
pub use pipeline::{analyze, gather};
pub use progress::Progress;
pub use recording::Recorder;
pub use report::{Hierarchy, Report};
pub use rules::Rules;
pub use settings::Settings;
