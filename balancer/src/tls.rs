//! TLS in front: which versions and protocols are spoken, and with which certificate. rustls does the work; tickets let
//! a client that was here before go on without another full handshake.

use std::sync::Arc;

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        version::{TLS12, TLS13},
    },
};

pub(crate) use self::certificates::{Book, Certificate};
use crate::config::Tls;

mod certificates;

/// What a TLS listener needs.
pub(crate) struct Front {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) book: Arc<Book>,
    /// The value of `Strict-Transport-Security`.
    pub(crate) hsts: Option<String>,
}

impl Front {
    /// Reads the certificates and prepares for clients, or says everything that is in the way.
    pub(crate) fn new(config: &Tls) -> Result<Arc<Self>, Vec<String>> {
        let book = Arc::new(Book::open(&config.certificates)?);
        let server =
            server(Arc::clone(&book), config.http2).map_err(|error| vec![format!("TLS cannot be spoken: {error}")])?;
        let acceptor = TlsAcceptor::from(Arc::new(server));
        Ok(Arc::new(Self { acceptor, book, hsts: config.hsts.clone() }))
    }
}

fn server(book: Arc<Book>, http2: bool) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(book);
    config.alpn_protocols = if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    // Sealed with keys that change every six hours; nothing is kept here, so any thread takes any ticket.
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}
