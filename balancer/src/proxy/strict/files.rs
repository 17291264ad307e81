//! Files of a folder as answers. What the kernel has in its memory is taken at once, which is a matter of microseconds; what
//! has to come from a disk is waited for on a thread for that, and this one goes on meanwhile.

use std::{
    collections::VecDeque,
    fs::File,
    future::poll_fn,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustix::io::Errno;
use tokio::{
    task::{spawn_blocking, yield_now},
    time::{Instant, sleep},
};

use super::{
    press::{self, Press},
    seen::Seen,
    shelf::{Buffer, Desk},
    stream::Stream,
};
use crate::{
    compress::{self, Candidate, Coding, Verdict, accepted::Accepted},
    files::{
        self,
        conditions::{Conditions, Validators},
        folder::{self, Found, Haste, Opened, Trouble},
        reply::{About, Piece, Reply},
    },
    http1::{Span, Version, fields::written, framing::Framing, request::Request},
    identity::RequestId,
    proxy::{
        client::{Client, Phase},
        entry::Entry,
        error::{ProxyError, Side},
        room::Taken,
        worker::Worker,
    },
    route::{
        Route,
        files::{Files, Wanted, with_slash},
    },
};

/// Between two looks whether somebody has given back a file.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A request for a file, and its way back.
pub(super) struct Serving<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) client: &'a Client,
    pub(super) stream: &'a Stream,
    pub(super) desk: &'a mut Desk,
    pub(super) request: &'a Request,
    pub(super) route: &'a Route,
    pub(super) entry: &'a mut Entry,
    /// Whether the connection stays for another request.
    pub(super) stays: bool,
}

/// How it went.
pub(super) enum Served {
    /// The answer has gone out whole.
    Whole,
    /// It was broken off.
    Cut,
    /// There is none; it is to be told why.
    Refused(ProxyError),
}

/// A file, and how it lies there.
struct Chosen {
    found: Found,
    coding: Option<Coding>,
}

impl Serving<'_> {
    /// Answers with what the folder has for the request.
    pub(super) async fn answer(mut self, folder: &Files) -> Served {
        self.client.is_patient(self.worker.limits.stall_deadline);
        self.client.enter(Phase::Answering);
        let is_head = match self.request.method.of(&self.desk.buffer) {
            b"GET" => false,
            b"HEAD" => true,
            _ => return Served::Refused(ProxyError::ReadOnly),
        };
        let Some(place) = self.worker.files.admit() else { return Served::Refused(ProxyError::FilesFull) };
        let (reply, verdict, file) = match self.look(folder, is_head).await {
            Ok(told) => told,
            Err(error) => return Served::Refused(error),
        };
        let is_bare = is_head || reply.pieces.is_empty() || reply.length == Some(0);
        let coding = verdict.coding().filter(|_| !is_bare);
        let Ok(press) = coding.map(|coding| Press::new(self.worker, coding)).transpose() else { return Served::Cut };
        let framing = match (reply.length, verdict.coding()) {
            (Some(_), Some(_)) if is_bare => Framing::None,
            (Some(_), Some(_)) => Framing::Chunked,
            (Some(length), None) => Framing::Length(length),
            (None, _) => Framing::None,
        };
        self.entry.status = reply.status.0;
        if !self.begin(&reply, framing, verdict, is_bare) {
            return Served::Cut;
        }
        let pieces = if is_bare { VecDeque::new() } else { reply.pieces.into() };
        let file = file.filter(|_| !pieces.is_empty()).map(|file| (Arc::new(file), place));
        let source = Source { file, pieces };
        let sent = self.send_all(source, framing, press).await;
        if let (Err(trouble), Some(front)) = (&sent, self.stream.front()) {
            tracing::debug!(error = %trouble, "an answer is broken off: {trouble}");
            front.break_off();
        }
        if sent.is_ok() { Served::Whole } else { Served::Cut }
    }

    /// What the request gets, how it is compressed, and of which file.
    async fn look(&self, folder: &Files, is_head: bool) -> Result<(Reply, Verdict, Option<File>), ProxyError> {
        let target = self.request.place(&self.desk.buffer).1;
        let wanted = folder.find(target).ok_or(ProxyError::FileMissing)?;
        let patience = self.worker.limits.stall_deadline;
        let Some((path, found)) = find(folder, wanted, patience).await? else {
            let place = String::from_utf8(with_slash(target)).map_err(|_| ProxyError::FileMissing)?;
            let moved = Reply::bare(301, "Moved Permanently", format!("Location: {place}\r\n"));
            return Ok((moved, Verdict::Untouched, None));
        };
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let (seen, kind) = (self.seen(), files::kind(&name));
        let conditions = Conditions::of(|name| seen.all(name));
        let accepted = Accepted::read(seen.all("accept-encoding"));
        let Chosen { found, coding } = if folder.precompressed {
            smaller(folder, &path, found, &accepted, patience).await
        } else {
            Chosen { found, coding: None }
        };
        let verdict = match self.judge(folder, &kind, found.length, coding) {
            // What is wanted in parts goes as it is: parts of what is compressed as it goes could not be told.
            Verdict::Coded(_) if conditions.has_range() => Verdict::Plain,
            verdict => verdict,
        };
        let now = SystemTime::now();
        let validators = Validators::new(found.modified, found.length, coding.map(Coding::name), now);
        let about = About {
            length: found.length,
            validators: &validators,
            kind: &kind,
            coding: coding.map(Coding::name),
            varies: folder.precompressed,
            cache_control: folder.cache_control.as_deref(),
            has_parts: verdict.coding().is_none(),
        };
        let boundary = RequestId::Made(self.worker.identities.next());
        let reply = Reply::of(about, &conditions, is_head, now, boundary.text());
        let verdict = if matches!(reply.status.0, 200 | 206 | 304) { verdict } else { Verdict::Untouched };
        Ok((reply, verdict, Some(found.file)))
    }

    /// How the file goes to this client, by the fields that it sees.
    fn judge(&self, folder: &Files, kind: &str, length: u64, coding: Option<Coding>) -> Verdict {
        let Some(compress) = self.worker.compress(Some(self.route)).filter(|_| coding.is_none()) else {
            return Verdict::Untouched;
        };
        let cache_control = folder.cache_control.as_deref().map(|value| ("Cache-Control", value));
        let told = [("Content-Type", kind)].into_iter().chain(cache_control);
        let judge = |candidate| press::judge(self.worker, compress, &self.seen(), candidate);
        if !self.route.edits_answers() {
            let fields = told.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            return judge(Candidate::of(200, Some(length), fields));
        }
        let lines: String = told.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
        self.seen().edit_answer(self.route, &mut head);
        judge(Candidate::of(200, Some(length), written(&head)))
    }

    fn seen(&self) -> Seen<'_> {
        let desk = &self.desk;
        Seen { client: self.client, request: self.request, bytes: &desk.buffer, fields: desk.request.fields() }
    }

    /// Writes the head; `false` if the client has left.
    fn begin(&mut self, reply: &Reply, framing: Framing, verdict: Verdict, is_bare: bool) -> bool {
        let mut head = Vec::with_capacity(512);
        let line = |head: &mut Vec<u8>, name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        };
        let (status, words) = reply.status;
        head.extend_from_slice(format!("{} {status} {words}\r\n", Version::ANSWERED.name()).as_bytes());
        head.extend_from_slice(reply.lines.as_bytes());
        match framing {
            Framing::Length(length) => line(&mut head, "Content-Length", &length.to_string()),
            Framing::Chunked => line(&mut head, "Transfer-Encoding", "chunked"),
            Framing::None | Framing::Close => {}
        }
        line(&mut head, "Date", &self.worker.date.borrow());
        if let Some(hsts) = self.client.hsts() {
            line(&mut head, "Strict-Transport-Security", hsts);
        }
        if let Some(id) = &self.entry.id {
            line(&mut head, "X-Request-Id", id.text());
        }
        if !self.stays {
            line(&mut head, "Connection", "close");
        }
        head.extend_from_slice(b"\r\n");
        self.seen().edit_answer(self.route, &mut head);
        compress::mark(&mut head, verdict);
        self.entry.note_head(&head);
        self.desk.down.clear();
        self.desk.down.front = head;
        self.stream.front().is_none_or(|front| front.begin_written(&mut self.desk.down.front, is_bare))
    }

    async fn send_all(&mut self, mut source: Source, framing: Framing, mut press: Option<Press>) -> io::Result<()> {
        if source.pieces.is_empty() {
            return self.send(&[], framing, framing == Framing::Chunked).await;
        }
        self.stream.shows_progress();
        let mut buffer = self.worker.shelf.buffer();
        loop {
            let filled = source.fill(&mut buffer).await.inspect_err(|_| self.entry.by = Side::Us.name())?;
            let is_last = source.pieces.is_empty();
            let Some(press) = &mut press else {
                self.send(&buffer.bytes[..filled], framing, is_last).await?;
                if is_last {
                    return Ok(());
                }
                continue;
            };
            let mut data = Span { start: 0, end: filled };
            while !data.is_empty() || is_last && !press.has_ended() {
                press.take(&buffer.bytes, &mut data, is_last)?;
                self.send(press.output(), framing, press.has_ended()).await?;
                // The thread's other requests have their turn before the next step.
                yield_now().await;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Sends a piece of the body, with what stands before it.
    async fn send(&mut self, bytes: &[u8], framing: Framing, is_last: bool) -> io::Result<()> {
        let (down, end) = (&mut self.desk.down, is_last.then_some(&[][..]));
        down.body(self.stream, framing, Span { start: 0, end: bytes.len() }, end);
        poll_fn(|cx| down.poll_send_body(cx, self.stream, bytes, end, self.entry)).await
    }
}

/// The file that is wanted, and its path; none if it is a folder that was asked for as if it were a file.
async fn find(folder: &Files, wanted: Wanted, patience: Duration) -> Result<Option<(PathBuf, Found)>, ProxyError> {
    let Wanted { path, is_folder } = wanted;
    if !is_folder {
        return match open(&folder.root, &path, patience).await? {
            Opened::Folder => Ok(None),
            Opened::File(found) => Ok(Some((path, found))),
        };
    }
    let index = path.join(&folder.index);
    match open(&folder.root, &index, patience).await {
        Ok(Opened::File(found)) => Ok(Some((index, found))),
        // It is there, and what is in it is nobody's business.
        Ok(Opened::Folder) => Err(ProxyError::FileForbidden),
        Err(ProxyError::FileMissing) => match open(&folder.root, &path, patience).await {
            Ok(Opened::Folder) => Err(ProxyError::FileForbidden),
            _ => Err(ProxyError::FileMissing),
        },
        Err(error) => Err(error),
    }
}

/// What lies beside a file, compressed as the client takes it; else the file.
async fn smaller(folder: &Files, path: &Path, found: Found, accepted: &Accepted, patience: Duration) -> Chosen {
    for coding in accepted.ranked() {
        let name = [path.as_os_str().as_bytes(), coding.extension().as_bytes()].concat();
        let beside = PathBuf::from(std::ffi::OsStr::from_bytes(&name));
        if let Ok(Opened::File(found)) = open(&folder.root, &beside, patience).await {
            return Chosen { found, coding: Some(coding) };
        }
    }
    Chosen { found, coding: None }
}

async fn open(root: &Path, path: &Path, patience: Duration) -> Result<Opened, ProxyError> {
    let opened = match folder::open(root, path, Haste::Now) {
        Err(Trouble::Later) => open_in_time(root, path, patience).await,
        opened => opened,
    };
    opened.map_err(|trouble| match trouble {
        Trouble::Missing => ProxyError::FileMissing,
        Trouble::Forbidden => ProxyError::FileForbidden,
        Trouble::Later | Trouble::System(_) => {
            let shown = root.join(path);
            // With its escapes: the path is the client's.
            tracing::warn!(path = ?shown, "{shown:?} cannot be opened: {trouble}");
            let is_full = matches!(trouble, Trouble::System(Errno::MFILE | Errno::NFILE));
            if is_full { ProxyError::FilesFull } else { ProxyError::FileUnreadable }
        }
    })
}

/// Waits for the disk on a thread for that. Whoever has a lease on the file is told by each look to give it back, and is
/// waited for without a thread.
async fn open_in_time(root: &Path, path: &Path, patience: Duration) -> Result<Opened, Trouble> {
    let (deadline, mut pause) = (Instant::now() + patience, FIRST_PAUSE);
    loop {
        let (root, path) = (root.to_owned(), path.to_owned());
        // It does not come when the thread for it has failed.
        let opened = spawn_blocking(move || folder::open(&root, &path, Haste::InTime)).await;
        let opened = opened.unwrap_or(Err(Trouble::System(Errno::IO)));
        if !matches!(opened, Err(Trouble::Later)) || Instant::now() >= deadline {
            return opened;
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// The bytes of an answer.
struct Source {
    /// With its place among those that are open.
    file: Option<(Arc<File>, Taken)>,
    pieces: VecDeque<Piece>,
}

impl Source {
    /// Fills a buffer as far as there is something. A file is closed with its last byte, and not when the client has that.
    async fn fill(&mut self, buffer: &mut Buffer) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(piece) = self.pieces.front_mut().filter(|_| filled < buffer.bytes.len()) {
            let room = buffer.bytes.len() - filled;
            let is_done = match piece {
                Piece::Text(text) => {
                    let taken = text.len().min(room);
                    buffer.bytes[filled..filled + taken].copy_from_slice(&text[..taken]);
                    text.drain(..taken);
                    filled += taken;
                    text.is_empty()
                }
                Piece::Part(part) => {
                    let most = usize::try_from(part.end - part.start).unwrap_or(usize::MAX).min(room);
                    let (file, _) = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
                    let taken = read(file, buffer, (filled, most), part.start).await?;
                    filled += taken;
                    part.start += taken as u64;
                    part.is_empty()
                }
            };
            if is_done {
                self.pieces.pop_front();
            }
        }
        if self.pieces.is_empty() {
            self.file = None;
        }
        Ok(filled)
    }
}

/// Reads from a place of a file to one in a buffer, at most so much. A file that has become shorter has not what was promised.
async fn read(file: &Arc<File>, buffer: &mut Buffer, (from, most): (usize, usize), at: u64) -> io::Result<usize> {
    if most == 0 {
        return Ok(0);
    }
    let mut read = folder::read(file, &mut buffer.bytes[from..from + most], at, Haste::Now);
    if read == Err(Trouble::Later) {
        let (file, mut bytes) = (Arc::clone(file), std::mem::take(&mut buffer.bytes));
        let waited = spawn_blocking(move || {
            let read = folder::read(&file, &mut bytes[from..from + most], at, Haste::InTime);
            (bytes, read)
        });
        (buffer.bytes, read) = waited.await.map_err(io::Error::other)?;
    }
    match read {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(read) => Ok(read),
        Err(Trouble::System(error)) => Err(error.into()),
        Err(_) => Err(io::ErrorKind::Other.into()),
    }
}
