//! What a line costs: `cargo run --release -p logkin-engine --example speed -- FILE...` prints nanoseconds per line for
//! all of it on one thread, for the header and for the shape, and how long the clustering of many distinct shapes and a new
//! cut of them take.

use std::{fs, hint::black_box, sync::Arc, time::Instant};

use logkin_engine::{
    Input, Partial, Progress, Settings, analyze,
    cluster::{Weighted, cluster},
    format,
    shape::Shaper,
};

/// Passes over each file; the best counts.
const PASSES: usize = 15;

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let text = fs::read(&path)?;
        let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
        let messages: Vec<&[u8]> = lines.iter().map(|line| format::read(line, 4_102_444_800).message).collect();
        let mut reader = format::Reader::default();
        let layout = Arc::new(format::Layout::vote(lines.iter().copied(), 4_102_444_800));
        let vote = best(|| _ = black_box(format::Layout::vote(lines.iter().copied(), 4_102_444_800)));
        reader.begin(&layout, 4_102_444_800);
        let voted = best(|| lines.iter().for_each(|line| _ = black_box(reader.read(line))));
        let mut shaper = Shaper::default();
        let header = best(|| lines.iter().for_each(|line| _ = black_box(format::read(line, 4_102_444_800))));
        let shape = best(|| messages.iter().for_each(|message| _ = black_box(shaper.shape(message).len())));
        let settings = Settings { threads: Some(1), ..Settings::default() };
        let whole = best(|| _ = black_box(analyze(vec![Input::file(&path)], &settings, &Progress::default(), None)));
        let per = |nanos: f64, of: usize| nanos / of.max(1) as f64;
        let bytes: usize = messages.iter().map(|message| message.len()).sum();
        println!(
            "{path}: {} lines, {:.0} ns/line in all; vote {:.1} ms; header {:.0} ns/line, read alone {:.0}; shape {:.0} ns/line of {} bytes ({:.2} ns/byte)",
            lines.len(),
            per(whole, lines.len()),
            vote / 1e6,
            per(voted, lines.len()),
            per(header, lines.len()),
            per(shape, lines.len()),
            bytes / lines.len().max(1),
            per(shape, bytes),
        );
    }
    many();
    cuts();
    Ok(())
}

fn best(mut pass: impl FnMut()) -> f64 {
    let time = |pass: &mut dyn FnMut()| {
        let start = Instant::now();
        pass();
        start.elapsed().as_nanos() as f64
    };
    (0..PASSES).map(|_| time(&mut pass)).fold(f64::MAX, f64::min)
}

/// 100,000 distinct shapes: sentences with names, lists, and some that have nothing in common.
fn many() {
    let word = |n: usize| -> String {
        (0..5).map(|i| char::from(b'a' + u8::try_from((n / 7_usize.pow(i) * 5 + n) % 26).unwrap_or(0))).collect()
    };
    let mut shapes: Vec<Vec<u8>> = (0..100_000)
        .map(|n: usize| match n % 4 {
            0 => format!("user {} logged in from office {} after a while", word(n), word(n / 3)),
            1 => format!(
                "members of {} are {}",
                word(n % 50),
                (0..n % 15).map(|i| word(n * 31 + i * 17)).collect::<Vec<_>>().join(" ")
            ),
            2 => format!(
                "module {} of {} says {} and {} to {}",
                word(n % 40),
                word(n % 300),
                word(n),
                word(n / 5),
                word(n / 11)
            ),
            _ => (0..8).map(|i| word(n * 13 + i * 7919)).collect::<Vec<_>>().join(" "),
        })
        .map(|message| Shaper::default().shape(message.as_bytes()).to_vec())
        .collect();
    shapes.sort();
    shapes.dedup();
    let weighted: Vec<Weighted<'_>> = shapes.iter().map(|shape| Weighted { shape, events: 3 }).collect();
    for similarity in [0.95, 0.5, 0.3] {
        let start = Instant::now();
        let groups = cluster(&weighted, similarity);
        println!("{} shapes at {similarity}: {} groups in {:?}", shapes.len(), groups.len(), start.elapsed());
    }
}

/// A new cut of a report with 100,000 shapes.
fn cuts() {
    let word = |n: usize| -> String {
        (0..6).map(|i| char::from(b'a' + u8::try_from((n / 5_usize.pow(i) * 7 + n) % 26).unwrap_or(0))).collect()
    };
    let log: String = (0..100_000)
        .map(|n: usize| format!("{} {} of {} went {}\n", word(n), word(n % 977), word(n / 3), word(n % 13)))
        .collect();
    let mut seen = Partial::new(&Settings { similarity: 0.0, ..Settings::default() });
    let input = seen.input("log");
    seen.add(input, log.as_bytes());
    let start = Instant::now();
    let found = seen.into_hierarchy();
    println!("the tree over {} shapes: {:.2} s", found.cut(1.0).totals.shapes, start.elapsed().as_secs_f64());
    for similarity in [0.9, 0.7, 0.5, 0.3] {
        let start = Instant::now();
        let clusters = found.cut(similarity).clusters.len();
        println!("cut at {similarity}: {clusters} clusters, {:.2} s", start.elapsed().as_secs_f64());
    }
}
