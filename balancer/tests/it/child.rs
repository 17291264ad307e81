//! This very test binary as a launched program: a small HTTP server that behaves as it is told. So the tests need no
//! other program on the machine.

use std::{
    io::{BufReader, Write},
    net::TcpListener,
    os::unix::net::UnixListener,
    process, thread,
};

use crate::harness::{read_body, read_head};

/// The name of the test below; with it as argument the test binary is a program.
const ENTRY: &str = "child::is_a_program_when_told_so";

/// The command line of a child for a configuration file. `how` is a list of the words of [`behave`].
pub(crate) fn command(how: &[&str]) -> String {
    let this = std::env::current_exe().unwrap();
    let words = [this.to_str().unwrap(), "--exact", ENTRY, "--ignored", "--nocapture", "--quiet"];
    let words: Vec<String> = words.iter().chain(how).map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(", "))
}

#[test]
#[ignore = "it is a program for the other tests"]
fn is_a_program_when_told_so() {
    let words: Vec<String> = std::env::args().collect();
    if words.iter().any(|word| word.starts_with("listen=")) {
        behave(&words);
    }
}

/// `listen=PATH` or `listen=PORT`; `name=TEXT` is what it answers; `say=TEXT` goes to standard output; `stubborn` does
/// not end on SIGTERM; `broken` ends at once; `never-ready` answers the probe with 503; `counts=FILE` leaves a line per
/// start there.
fn behave(words: &[String]) {
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)).map(str::to_owned);
    let has = |key: &str| words.iter().any(|word| word == key);
    if let Some(file) = value("counts=") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{}", process::id()).unwrap();
    }
    if let Some(text) = value("say=") {
        println!("{text}");
        eprintln!("{text} too");
    }
    if has("broken") {
        process::exit(7);
    }
    if has("stubborn") {
        thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
                loop {
                    asked.recv().await;
                }
            });
        });
    }
    let status = if has("never-ready") { "503 Not Yet" } else { "200 OK" };
    let listen = value("listen=").unwrap();
    match listen.parse::<u16>() {
        Ok(port) => {
            let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
            for stream in listener.incoming().flatten() {
                let write = stream.try_clone().unwrap();
                thread::spawn(move || serve(BufReader::new(stream), write, status));
            }
        }
        Err(_) => {
            let listener = UnixListener::bind(listen).unwrap();
            for stream in listener.incoming().flatten() {
                let write = stream.try_clone().unwrap();
                thread::spawn(move || serve(BufReader::new(stream), write, status));
            }
        }
    }
}

/// Answers `/health/ready` with `status`, and everything else with its process id.
fn serve(mut from: impl std::io::BufRead, mut to: impl Write, status: &str) {
    while let Ok(head) = read_head(&mut from) {
        drop(read_body(&mut from, &head, false));
        let (status, body) = if head.starts_with("GET /health/ready ") {
            (status, String::new())
        } else {
            ("200 OK", process::id().to_string())
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if to.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
