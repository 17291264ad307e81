//! `App`: what handlers may reach.

use std::{ops::Deref, sync::Arc};

use tokio::sync::Notify;

use crate::{
    blobs::Blobs, clock::Clock, config::Hosts, intake::Intake, metrics::Metrics, roots::Roots, shelf::Shelf,
    shutdown::Shutdown, store::Store,
};

/// Shared by all requests.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// Name of the instance.
    pub name: String,
    /// Reports and jobs.
    pub store: Arc<dyn Store>,
    /// Uploads and results.
    pub blobs: Blobs,
    /// Takes new reports.
    pub intake: Intake,
    /// Gives finished ones.
    pub shelf: Shelf,
    /// What may be opened.
    pub roots: Roots,
    /// By which names we may be called.
    pub hosts: Hosts,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// Whether we are stopping.
    pub shutdown: Shutdown,
    /// Wakes this instance's worker.
    pub wake: Arc<Notify>,
}

impl App {
    /// Ready to be shared.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
