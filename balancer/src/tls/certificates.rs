//! Certificates and their keys: read from files, chosen by the name that a client asks for, read again when the files
//! change. New files that are no good leave the old certificates in use.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::interval;
use tokio_rustls::rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use webpki::EndEntityCert;

use crate::config::CertificateFiles;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A certificate, its key and the names it is for.
#[derive(Debug)]
pub(crate) struct Certificate {
    key: Arc<CertifiedKey>,
    /// In lower case; the first label may be `*`.
    names: Vec<String>,
}

impl Certificate {
    fn read(files: &CertificateFiles) -> Result<Self, String> {
        Self::from_files(files).map_err(|problem| format!("{}: {problem}", files.place))
    }

    fn from_files(CertificateFiles { certificate, key, .. }: &CertificateFiles) -> Result<Self, String> {
        let shown = certificate.display();
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|error| format!("{shown}: no certificate can be read: {error}; write PEM, the server's first"))?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| format!("{}: no private key can be read: {error}; write one in PEM", key.display()))?;
        let first = chain.first().ok_or_else(|| format!("{shown}: there is no certificate in it; write one in PEM"))?;
        let names = EndEntityCert::try_from(first)
            .map_err(|error| format!("{shown}: the certificate is not valid: {error}; get a new one"))?
            .valid_dns_names()
            .map(str::to_ascii_lowercase)
            .collect();
        let key = CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|error| {
            format!("{shown} and {} do not go together: {error}; name the key of that certificate", key.display())
        })?;
        Ok(Self { key: Arc::new(key), names })
    }

    /// Whether it is for this host name, in any case, without a port.
    pub(crate) fn fits(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.names.iter().any(|name| match name.strip_prefix('*') {
            Some(domain) => host.find('.').is_some_and(|dot| dot > 0 && host[dot..].eq_ignore_ascii_case(domain)),
            None => name.eq_ignore_ascii_case(host),
        })
    }

    /// Whether it is for exactly this name, and not by a wildcard.
    fn is_named(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// All certificates in use.
#[derive(Debug)]
pub(crate) struct Book {
    files: Vec<CertificateFiles>,
    present: ArcSwap<Vec<Arc<Certificate>>>,
}

impl Book {
    pub(super) fn open(files: &[CertificateFiles]) -> Result<Self, Vec<String>> {
        let present = read_all(files)?;
        Ok(Self { files: files.to_vec(), present: ArcSwap::from_pointee(present) })
    }

    /// The certificate for a name: one with that name, or with a wildcard for it, or else the first.
    pub(crate) fn choose(&self, name: Option<&str>) -> Option<Arc<Certificate>> {
        choose(&self.present.load(), name, |_| true)
    }

    /// Whether a host is another certificate's: not this one's, though there is one for it.
    pub(crate) fn is_anothers(&self, host: &str, certificate: &Certificate) -> bool {
        let present = self.present.load();
        present.len() > 1 && !certificate.fits(host) && present.iter().any(|other| other.fits(host))
    }

    /// Reads the files again each time they have changed, for ever.
    pub(crate) async fn watch(&self) {
        let mut seconds = interval(LOOK);
        let (mut taken, mut last) = (self.stamps(), self.stamps());
        loop {
            seconds.tick().await;
            let now = self.stamps();
            // Two files are written one after the other: not before nothing has moved from one look to the next.
            if now != taken && now == last {
                self.renew();
                taken.clone_from(&now);
            }
            last = now;
        }
    }

    fn renew(&self) {
        match read_all(&self.files) {
            Ok(present) => {
                tracing::info!("the certificates have changed; new connections get the new ones");
                self.present.store(Arc::new(present));
            }
            Err(problems) => {
                for problem in problems {
                    tracing::error!("{problem}; the certificates from before stay in use");
                }
            }
        }
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.files.iter().flat_map(|files| [&files.certificate, &files.key]).map(|path| Stamp::of(path)).collect()
    }
}

impl ResolvesServerCert for Book {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let can_sign =
            |certificate: &Certificate| certificate.key.key.choose_scheme(hello.signature_schemes()).is_some();
        choose(&self.present.load(), hello.server_name(), can_sign).map(|certificate| Arc::clone(&certificate.key))
    }
}

fn choose(
    present: &[Arc<Certificate>],
    name: Option<&str>,
    is_usable: impl Fn(&Certificate) -> bool,
) -> Option<Arc<Certificate>> {
    let usable = || present.iter().filter(|certificate| is_usable(certificate));
    let named = name.and_then(|name| {
        usable().find(|certificate| certificate.is_named(name)).or_else(|| usable().find(|other| other.fits(name)))
    });
    // With none that can sign, the handshake fails over that, which says more than a refusal.
    named.or_else(|| usable().next()).or(present.first()).cloned()
}

fn read_all(files: &[CertificateFiles]) -> Result<Vec<Arc<Certificate>>, Vec<String>> {
    let (mut present, mut problems) = (Vec::new(), Vec::new());
    for files in files {
        match Certificate::read(files) {
            Ok(certificate) => present.push(Arc::new(certificate)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(present) } else { Err(problems) }
}

/// What tells that a file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let data = fs::metadata(path).ok()?;
        let modified = (data.mtime(), data.mtime_nsec());
        Some(Self { path: path.to_owned(), inode: data.ino(), size: data.size(), modified })
    }
}
