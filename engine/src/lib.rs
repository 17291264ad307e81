//! Lines in, report out: the calm room. No async, no network, no database.
//!
//! ```text
//! Input -> chunks of lines -> Record -> Shape -> Tally     phase one, `fold`: parallel, order-free, bounded
//!                                          |
//!          distinct shapes, sorted --> Group, Template     phase two, `cluster`: over a few thousand shapes
//!                                          |
//!                                       Report             what everyone else reads
//! ```

pub mod error;
pub mod settings;
pub mod progress;
pub mod record;
pub mod format;
pub mod shape;
mod tally;
mod table;
mod aside;
pub mod input;
pub mod template;
pub mod cluster;
pub mod report;
pub mod recording;
mod fold;
pub mod pipeline;
pub mod evaluate;

pub use error::Error;
pub use input::Input;
pub use pipeline::{Recorder, analyze};
pub use progress::Progress;
pub use report::Report;
pub use settings::Settings;
