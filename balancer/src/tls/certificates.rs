//! Certificates and their keys: read from files, chosen by the name that a client asks for, read again when the files
//! change. New files that are no good leave the old certificates in use.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustix::fs::{Mode, OFlags};
use tokio_rustls::rustls::{
    Error,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer, UnixTime,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use webpki::{EndEntityCert, KeyUsage};

use crate::config::CertificateFiles;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Keys that can sign here.
const KINDS: &str = "RSA with 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519";

/// Most bytes of a file; chains have a few thousand.
const LARGEST: usize = 1 << 20;

fn no_key(path: &Path, text: &[u8], error: &pem::Error) -> String {
    let shown = path.display();
    if memchr::memmem::find(text, b"ENCRYPTED").is_some() {
        return format!(
            "{shown}: the private key is encrypted, and there is nobody to ask for its password; write it without one, as by openssl pkey -in FILE -out ANOTHER"
        );
    }
    format!("{shown}: no private key can be read: {error}; write one in PEM")
}

/// Reads all of a file that holds this. A pipe would keep its reader waiting for who writes, and a device for ever, so what is
/// no regular file is not read, and opened so that nobody waits.
fn read(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let read = || {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut text = Vec::new();
        file.take(LARGEST as u64 + 1).read_to_end(&mut text)?;
        if text.len() > LARGEST {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        Ok(text)
    };
    let shown = path.display();
    read().map_err(|error| format!("{shown}: no {what} can be read: {error}; name a file of PEM that can be read"))
}

/// A certificate, its key and the names it is for.
#[derive(Debug)]
pub(crate) struct Certificate {
    key: Arc<CertifiedKey>,
    /// In lower case; the first label may be `*`.
    names: Vec<String>,
    path: PathBuf,
}

impl Certificate {
    fn read(files: &CertificateFiles) -> Result<Self, String> {
        Self::from_files(files).map_err(|problem| format!("{}: {problem}", files.place))
    }

    fn from_files(CertificateFiles { certificate, key, .. }: &CertificateFiles) -> Result<Self, String> {
        let shown = certificate.display();
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate, "certificate")?)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{shown}: no certificate can be read: {error}; write PEM, the server's first"))?;
        let secret = read(key, "private key")?;
        let private = PrivateKeyDer::from_pem_slice(&secret).map_err(|error| no_key(key, &secret, &error))?;
        let first = chain.first().ok_or_else(|| format!("{shown}: there is no certificate in it; write one in PEM"))?;
        let names = EndEntityCert::try_from(first)
            .map_err(|error| format!("{shown}: the certificate is not valid: {error}; get a new one"))?
            .valid_dns_names()
            .map(str::to_ascii_lowercase)
            .collect();
        let key = CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|error| {
            let key = key.display();
            match error {
                Error::InconsistentKeys(_) => {
                    format!("{shown} and {key} do not go together: {error}; name the key of that certificate")
                }
                _ => format!("{key} cannot be used: {error}; take a certificate for a key of another kind: {KINDS}"),
            }
        })?;
        Ok(Self { key: Arc::new(key), names, path: certificate.clone() })
    }

    /// That clients will not take it now, if it is so.
    fn untimely(&self) -> Option<String> {
        let certificate = EndEntityCert::try_from(self.key.cert.first()?).ok()?;
        let (now, usage) = (UnixTime::now(), KeyUsage::server_auth());
        // Nobody is trusted: what is wrong with the certificate alone is told first.
        let (how, time) = match certificate.verify_for_usage(&[], &[], &[], now, usage, None, None).err()? {
            webpki::Error::CertExpired { not_after, .. } => ("has expired at", not_after),
            webpki::Error::CertNotValidYet { not_before, .. } => ("is not valid before", not_before),
            _ => return None,
        };
        let time = jiff::Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()?;
        Some(format!("{}: the certificate {how} {time}; clients will refuse it; get a new one", self.path.display()))
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
    /// The files when they were about to be read first.
    opened: Stamps,
}

impl Book {
    pub(super) fn open(files: &[CertificateFiles]) -> Result<Self, Vec<String>> {
        let (opened, present) = (stamps(files), read_all(files)?);
        Ok(Self { files: files.to_vec(), present: ArcSwap::from_pointee(present), opened })
    }

    /// What is wrong with those in use that keeps nothing from starting.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.present.load().iter().filter_map(|certificate| certificate.untimely()).collect()
    }

    fn remark(&self) {
        for remark in self.remarks() {
            tracing::warn!("{remark}");
        }
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

    /// Reads the files again each time they have changed, for as long as anybody has the book. A thread of its own does that:
    /// a disk of another machine can keep its readers waiting for ever, and then nobody else waits with it, nor does a stop.
    pub(crate) fn watch(self: &Arc<Self>) -> io::Result<()> {
        self.remark();
        let (book, mut seen) = (Arc::downgrade(self), Seen::at_first(self.opened.clone()));
        let watching = move || {
            while let Some(book) = book.upgrade() {
                book.look(&mut seen);
                drop(book);
                thread::sleep(LOOK);
            }
        };
        thread::Builder::new().name("certificates".to_owned()).spawn(watching).map(drop)
    }

    /// Reads them if they have changed since they were taken last. What keeps them from being read may pass without a trace in
    /// their stamps, as where there are no more descriptors, so that is tried at each look until it succeeds.
    fn look(&self, seen: &mut Seen) {
        let now = stamps(&self.files);
        // Two files are written one after the other: not before nothing has moved from one look to the next.
        if now == seen.last {
            if now != seen.taken {
                self.renew(seen);
            }
        } else {
            seen.told.clear();
            seen.last = now;
        }
    }

    fn renew(&self, seen: &mut Seen) {
        match read_all(&self.files) {
            Ok(present) => {
                tracing::info!("the files of the certificates have changed; new connections get what is in them");
                self.present.store(Arc::new(present));
                self.remark();
                seen.taken.clone_from(&seen.last);
            }
            Err(problems) => {
                for problem in problems.into_iter().filter(|problem| seen.told.insert(problem.clone())) {
                    tracing::error!("{problem}; the certificates from before stay in use");
                }
            }
        }
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

/// What was seen of the files so far.
struct Seen {
    /// Those in use.
    taken: Stamps,
    /// Those of the last look.
    last: Stamps,
    /// What was told to be wrong with the last ones: once.
    told: HashSet<String>,
}

impl Seen {
    fn at_first(stamps: Stamps) -> Self {
        Self { taken: stamps.clone(), last: stamps, told: HashSet::new() }
    }
}

type Stamps = Vec<Option<Stamp>>;

fn stamps(files: &[CertificateFiles]) -> Stamps {
    files.iter().flat_map(|files| [&files.certificate, &files.key]).map(|path| Stamp::of(path)).collect()
}

/// What tells that a file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// When any of that was, or who may read it. Nobody can set it back, as copies that keep their times do with the other.
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let data = fs::metadata(path).ok()?;
        Some(Self {
            device: data.dev(),
            inode: data.ino(),
            size: data.size(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        })
    }
}
