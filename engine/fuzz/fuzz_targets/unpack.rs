//! Any bytes as an input: packings, archives, encodings. Nothing panics, the counts close, every line is in the recording, and
//! how the bytes arrive changes nothing.
#![no_main]

use std::io::{Cursor, Read};

use libfuzzer_sys::fuzz_target;
use logkin_engine::{Input, Progress, Recorder, Report, Settings, analyze, recording::Recording, settings::Unpacking};

struct Drips(Cursor<Vec<u8>>);

impl Read for Drips {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let few = buffer.len().min(7);
        self.0.read(&mut buffer[..few])
    }
}

fn run(input: impl Read + Send + 'static) -> (Report, Vec<u8>, Vec<u8>) {
    let unpacking = Unpacking { max_bytes: 1 << 20, max_members: 50, max_window: 1 << 20, ..Unpacking::default() };
    let settings = Settings { threads: None, max_shapes: 100, unpacking, ..Settings::default() };
    let (mut labels, mut text) = (Vec::new(), Vec::new());
    let recorder = Recorder { labels: &mut labels, text: &mut text };
    let inputs = vec![Input::reader("fuzz", input)];
    let report = analyze(inputs, &settings, &Progress::default(), Some(recorder)).expect("no input fails a run");
    (report, labels, text)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = run(Cursor::new(bytes.to_vec()));
    let (report, labels, text) = &whole;
    let clustered: u64 = report.clusters.iter().map(|c| c.lines).sum();
    assert_eq!(report.totals.lines, clustered + report.totals.set_aside);
    assert_eq!(report.totals.lines, report.inputs.iter().map(|i| i.lines).sum::<u64>());
    let mut recording = Recording::open(Cursor::new(labels), Cursor::new(text)).expect("what was written can be read");
    let lines: Vec<_> = recording.labels().map(|line| line.expect("every line can be read").0).collect();
    assert_eq!(report.totals.lines, lines.len() as u64);
    for at in lines.into_iter().take(100) {
        assert!(recording.text(at).expect("its text can be read").is_some());
    }
    assert!(run(Drips(Cursor::new(bytes.to_vec()))) == whole);
});
