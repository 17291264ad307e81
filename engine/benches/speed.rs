//! Lines per second and peak memory of whole runs, over a file given or lines made up here:
//!
//! ```text
//! cargo bench -p logkin-engine                          made-up lines, 256 MiB
//! cargo bench -p logkin-engine -- big.log               a file
//! cargo bench -p logkin-engine -- --stream 2048         made-up lines through a reader, in MiB: memory has to stay flat
//! cargo bench -p logkin-engine -- --distinct 10000000   so many distinct shapes: memory has to stay bounded
//! ```
//!
//! A plain program and no statistics: a run takes seconds, and what counts is the ratio between the rows of one run.

use std::{
    env,
    error::Error,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Instant,
};

use logkin_engine::{Input, Progress, Recorder, Report, Settings, analyze};

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => files(&made_up(256)?),
        ["--stream", mib] => streamed(Made::mixed(mib.parse::<u64>()? << 20)),
        ["--distinct", shapes] => streamed(Made::distinct(shapes.parse()?)),
        [file] => files(Path::new(file)),
        _ => Err("one file, --stream MIB or --distinct SHAPES was expected".into()),
    }
}

/// One row per number of threads, without and with a recording.
fn files(path: &Path) -> Result<(), Box<dyn Error>> {
    // Warms the cache: every row then reads memory.
    io::copy(&mut fs::File::open(path)?, &mut io::sink())?;
    println!("{}", path.display());
    for threads in [1, 2] {
        for recorded in [false, true] {
            row(Input::file(path), threads, recorded)?;
        }
    }
    Ok(())
}

fn streamed(made: Made) -> Result<(), Box<dyn Error>> {
    row(Input::reader("made up", made), 2, true).map(drop)
}

fn row(input: Input, threads: usize, recorded: bool) -> Result<Report, Box<dyn Error>> {
    let settings = Settings { threads: Some(threads), ..Settings::default() };
    let (mut labels, mut text) = (Sink(0), Sink(0));
    let recorder = recorded.then_some(Recorder { labels: &mut labels, text: &mut text });
    let start = Instant::now();
    let report = analyze(vec![input], &settings, &Progress::default(), recorder)?;
    let seconds = start.elapsed().as_secs_f64();
    let totals = report.totals;
    println!(
        "threads {threads}, {}: {seconds:.2} s, {:.2} M lines/s, {:.0} MB/s, {} shapes, labels {:.1} MB, text {:.1} MB, peak {} MiB",
        if recorded { "recorded" } else { "not recorded" },
        totals.lines as f64 / seconds / 1e6,
        totals.bytes as f64 / seconds / 1e6,
        totals.shapes,
        labels.0 as f64 / 1e6,
        text.0 as f64 / 1e6,
        peak_mib().map_or_else(|| "?".into(), |mib| mib.to_string()),
    );
    Ok(report)
}

/// Counts what is written.
struct Sink(u64);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Most memory the process ever had, where the system tells.
fn peak_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn made_up(mib: u64) -> io::Result<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("speed-{mib}.log"));
    if !path.exists() {
        io::copy(&mut Made::mixed(mib << 20), &mut fs::File::create(&path)?)?;
    }
    Ok(path)
}

/// Log lines made up as they are read.
struct Made {
    left: u64,
    line: fn(u64, u64) -> String,
    number: u64,
    state: u64,
    buffer: Vec<u8>,
}

impl Made {
    /// About so many bytes of some forty kinds of lines.
    fn mixed(bytes: u64) -> Self {
        Self { left: bytes / MIXED_LINE_BYTES, line: mixed, number: 0, state: 1, buffer: Vec::new() }
    }

    /// So many lines, each with a word of its own.
    fn distinct(lines: u64) -> Self {
        Self { left: lines, line: distinct, number: 0, state: 1, buffer: Vec::new() }
    }
}

impl Read for Made {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.buffer.len() < out.len() && self.left > 0 {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.buffer.extend_from_slice((self.line)(self.number, self.state >> 33).as_bytes());
            self.buffer.push(b'\n');
            (self.number, self.left) = (self.number + 1, self.left - 1);
        }
        let n = out.len().min(self.buffer.len());
        out[..n].copy_from_slice(&self.buffer[..n]);
        self.buffer.drain(..n);
        Ok(n)
    }
}

/// What [`mixed`] makes on average.
const MIXED_LINE_BYTES: u64 = 112;

fn mixed(number: u64, r: u64) -> String {
    let level = ["INFO", "DEBUG", "WARN", "ERROR"][(r % 37 / 10) as usize];
    let time = format!(
        "2024-05-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        number / 8_640_000 % 28 + 1,
        number / 360_000 % 24,
        number / 6000 % 60,
        number / 100 % 60,
        r % 1000
    );
    match r % 11 {
        0..3 => format!(
            "{time} {level} [http-{}] request /api/v1/orders/{r} from 10.0.{}.{} answered 200 in {} ms",
            r % 16,
            r % 256,
            r % 199,
            r % 977
        ),
        3..5 => format!(
            "{time} {level} [cache] miss for key user:{r}:profile, loading from replica {} of shard {}",
            r % 3,
            r % 64
        ),
        5 => format!(
            "{time} {level} [db] slow statement ({} ms): select * from orders where id = {r} and state = 'open'",
            r % 5000
        ),
        6 => format!(
            "{time} {level} [scheduler] job {} finished by worker {} with {} items",
            ["cleanup", "export", "mail", "index"][(r % 4) as usize],
            r % 32,
            r % 10_000
        ),
        7 => format!(
            "10.1.{}.{} - - [05/May/2024:10:{:02}:{:02} +0000] \"GET /static/app-{r:x}.js HTTP/1.1\" 200 {}",
            r % 256,
            r % 251,
            r % 60,
            r % 59,
            r % 100_000
        ),
        8 => format!(
            "kernel: [{}.{}] eth0: link {} at 1000 Mbps, full duplex, flow control rx/tx",
            r % 100_000,
            r % 1_000_000,
            ["up", "down"][(r % 2) as usize]
        ),
        9 => format!("{time} {level} connection {r:x} closed by peer after {} bytes", r % 1_000_000),
        _ => format!(
            "sshd[{}]: Failed password for invalid user admin from 192.168.{}.{} port {} ssh2",
            r % 30_000,
            r % 256,
            r % 255,
            r % 65_536
        ),
    }
}

fn distinct(number: u64, r: u64) -> String {
    let word = |mut n: u64| {
        let mut word = String::new();
        while n > 0 {
            word.push(char::from(b'a' + (n % 26) as u8));
            n /= 26;
        }
        word
    };
    format!("user {} asked for {} in {} ms", ["alice", "bob"][(r % 2) as usize], word(number + 26), r % 1000)
}
