//! Every packing in any nesting, whole, cut and damaged; archives member by member; bombs.

use std::{
    fs,
    io::{Cursor, Read, Write},
};

use logkin_engine::{Input, Settings, settings::Unpacking};
use zip::{CompressionMethod, write::SimpleFileOptions};

use crate::harness::{Run, gzip, reader, run, run_with, sample, zstd};

fn bzip2(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut packed = Vec::new();
    bzip2::read::BzEncoder::new(bytes.as_ref(), bzip2::Compression::fast()).read_to_end(&mut packed).unwrap();
    packed
}

fn xz(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn zip(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// As it is written where going back is not possible: the sizes come after the member.
fn zip_stream(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new_stream(Vec::new());
    for (name, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub(crate) fn deflated(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip(members, CompressionMethod::Deflated)
}

/// Names and lines of what has lines.
fn read(run: &Run) -> Vec<(&str, u64)> {
    run.report.inputs.iter().filter(|i| i.lines > 0).map(|i| (i.name.as_str(), i.lines)).collect()
}

fn problems(run: &Run) -> Vec<&str> {
    run.report.inputs.iter().flat_map(|i| &i.problems).map(String::as_str).collect()
}

fn with(unpacking: Unpacking) -> Settings {
    Settings { unpacking, ..Settings::default() }
}

/// A packing by its name in reports.
pub(crate) type Packer = (&'static str, fn(&[u8]) -> Vec<u8>);

pub(crate) const PACKERS: [Packer; 5] =
    [("gzip", |b| gzip(b)), ("zstd", |b| zstd(b)), ("bzip2", |b| bzip2(b)), ("xz", |b| xz(b)), ("lz4", |b| lz4(b))];

#[test]
fn every_packing_gives_what_was_packed_once_and_in_parts() {
    let text = sample(20_000, 21);
    let plain = run(&text).report;
    for (name, pack) in PACKERS {
        let parts = [pack(&text.as_bytes()[..77_777]), pack(&text.as_bytes()[77_777..])].concat();
        for packed in [pack(text.as_bytes()), parts] {
            let run = run(packed);
            assert_eq!(run.report.inputs[0].packing, [name]);
            assert_eq!(problems(&run), [""; 0], "{name}");
            assert_eq!((&run.report.clusters, run.report.totals), (&plain.clusters, plain.totals), "{name}");
        }
    }
}

#[test]
fn every_packing_may_be_in_every_other() {
    let text = sample(300, 22);
    for (outer, pack_outer) in PACKERS {
        for (inner, pack_inner) in PACKERS {
            let run = run(pack_outer(&pack_inner(text.as_bytes())));
            assert_eq!(run.report.inputs[0].packing, [outer, inner]);
            assert_eq!(run.report.totals.lines, 300);
            assert_eq!(problems(&run), [""; 0]);
        }
    }
}

#[test]
fn wherever_a_packing_is_cut_it_is_told_and_what_came_before_is_counted() {
    let text = sample(3_000, 23);
    for (name, pack) in PACKERS {
        let packed = pack(text.as_bytes());
        let mut before = 0;
        for length in (7..packed.len()).step_by(packed.len() / 40) {
            let run = run(&packed[..length]);
            let lines = run.report.totals.lines;
            let problem = run.problem();
            assert!(lines >= before && lines <= 3_000, "{name} {length}");
            let expected = format!("lines: ends in the middle of its {name} data, at byte {length}; ");
            assert!(problem.starts_with(&expected), "{problem}");
            before = lines;
        }
    }
}

#[test]
fn half_of_a_packing_gives_about_half_of_its_lines() {
    let text = sample(3_000, 27);
    for (name, pack) in PACKERS {
        let packed = pack(text.as_bytes());
        let lines = run(&packed[..packed.len() * 3 / 4]).report.totals.lines;
        // The blocks of the others are larger than this text.
        let least = if matches!(name, "gzip" | "xz") { 500 } else { 0 };
        assert!(lines >= least, "{name}: {lines}");
    }
}

#[test]
fn zeros_behind_gzip_are_nothing_and_other_bytes_are_told() {
    let text = sample(500, 28);
    let packed = gzip(&text);
    for zeros in [1, 512, 200_000] {
        let padded = run([&packed[..], &vec![0; zeros], &packed, &vec![0; zeros]].concat());
        assert_eq!((padded.report.totals.lines, problems(&padded)), (1_000, vec![]), "{zeros}");
    }
    let followed = run([&packed[..], b"\0\0and more"].concat());
    let at = packed.len() + 2;
    let told = format!(
        "lines: has damaged gzip data at byte {at} (what follows is no gzip); the lines before it are counted (500)"
    );
    assert_eq!(followed.problem(), told);
}

#[test]
fn a_damage_anywhere_neither_panics_nor_goes_unnoticed() {
    let text = sample(2_000, 24);
    for (name, pack) in PACKERS {
        let packed = pack(text.as_bytes());
        for at in (10..packed.len() - 24).step_by(packed.len() / 30) {
            let mut damaged = packed.clone();
            damaged[at..at + 16].iter_mut().for_each(|b| *b ^= 0x5a);
            let whole = run(&damaged);
            assert_eq!(problems(&whole).len(), 1, "{name} {at}");
            let drips = Cursor::new(damaged[..at].to_vec()).chain(Cursor::new(damaged[at..].to_vec()));
            assert!(run_with(vec![Input::reader("lines", drips)], &Settings::default()) == whole, "{name} {at}");
        }
    }
}

#[test]
fn members_of_archives_are_inputs_of_their_own() {
    let (one, two) = (sample(2_000, 25), sample(1_000, 26));
    let members = [("logs/one.log", one.as_bytes()), ("logs/two.log.gz", &gzip(&two))];
    let plain = run_with(vec![reader(&one), reader(&two)], &Settings::default());
    let archives = [
        ("tar", tar(&members)),
        ("zip", deflated(&members)),
        ("zip", zip(&members, CompressionMethod::Stored)),
        ("zip", zip_stream(&members)),
    ];
    for (packing, archive) in archives {
        let run = run(archive);
        assert_eq!(problems(&run), [""; 0]);
        assert_eq!(read(&run), [("lines/logs/one.log", 2_000), ("lines/logs/two.log.gz", 1_000)]);
        let packings: Vec<_> = run.report.inputs.iter().map(|i| i.packing.join(" ")).collect();
        assert_eq!(packings, [packing.to_owned(), packing.to_owned(), format!("{packing} gzip")]);
        assert_eq!((&run.report.clusters, run.report.totals), (&plain.report.clusters, plain.report.totals));
    }
}

#[test]
fn lines_of_members_are_found_again_and_what_was_given_keeps_its_place() {
    let (one, two) = ("started\nserver 7 failed\n", "server 8 failed\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.log");
    fs::write(&path, "server 9 failed\n").unwrap();
    let archive = tar(&[("a.log", one.as_bytes()), ("b.log", two.as_bytes())]);
    let run = run_with(vec![reader(archive), Input::file(&path).named("plain")], &Settings::default());
    let names: Vec<_> = run.report.inputs.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["lines", "plain", "lines/a.log", "lines/b.log"]);
    let mut recording = run.recording();
    let lines = recording.lines(&run.report.clusters[0].shapes, 0, 10).unwrap();
    let places: Vec<_> = lines.iter().map(|at| (at.input, at.number)).collect();
    assert_eq!(places, [(1, 1), (2, 2), (3, 1)]);
    let texts: Vec<_> = lines.iter().map(|at| recording.text(*at).unwrap()).collect();
    assert_eq!(texts, [None, Some(b"server 7 failed".to_vec()), Some(b"server 8 failed".to_vec())]);
    assert_eq!(recording.labels().count(), 4);
}

#[test]
fn nested_archives_name_the_whole_path() {
    let inner = gzip(tar(&[("var/log/a.log", b"one\ntwo\n")]));
    let middle = deflated(&[("backup/inner.tar.gz", &inner), ("b.log", b"three\n")]);
    let run = run(zstd(tar(&[("middle.zip", &middle), ("c.log", b"four\n")])));
    assert_eq!(problems(&run), [""; 0]);
    let expected =
        [("lines/middle.zip/backup/inner.tar.gz/var/log/a.log", 2), ("lines/middle.zip/b.log", 1), ("lines/c.log", 1)];
    assert_eq!(read(&run), expected);
    assert_eq!(run.report.inputs[1].packing, ["zstd", "tar", "zip", "gzip", "tar"]);
}

#[test]
fn the_same_archive_gives_the_same_bytes_on_any_number_of_threads() {
    let texts = [sample(30_000, 27), sample(20_000, 28)];
    let utf16: Vec<u8> = texts[1].encode_utf16().flat_map(u16::to_le_bytes).collect();
    let archive = deflated(&[("a.log", texts[0].as_bytes()), ("b.gz", &gzip(&texts[1])), ("c.log", &utf16)]);
    let runs = [1, 2, 16].map(|threads| {
        let settings = Settings { threads: Some(threads), ..Settings::default() };
        run_with(vec![reader(&archive), reader(&texts[1])], &settings)
    });
    assert!(runs[0] == runs[1] && runs[1] == runs[2]);
}

#[test]
fn a_cut_archive_gives_the_members_before_the_cut() {
    let texts = [sample(500, 29), sample(500, 30), sample(500, 31)];
    let members: Vec<(&str, &[u8])> =
        ["a.log", "b.log", "c.log"].into_iter().zip(texts.iter().map(String::as_bytes)).collect();
    for archive in [tar(&members), deflated(&members), zip_stream(&members)] {
        let whole = run(&archive).report.totals.lines;
        assert_eq!(whole, 1_500);
        let mut before = 0;
        for length in (600..archive.len() - 1_500).step_by(archive.len() / 50) {
            let run = run(&archive[..length]);
            let lines = run.report.totals.lines;
            assert!(lines >= before, "{length}: {lines} after {before}");
            // A tar may end after any member.
            assert!(lines % 500 == 0 || problems(&run).len() == 1, "{length}: {:?}", problems(&run));
            before = lines;
        }
    }
}

#[test]
fn a_damaged_member_does_not_take_the_others_with_it() {
    let packed = gzip(sample(5_000, 32));
    let half = &packed[..packed.len() / 2];
    let members: [(&str, &[u8]); 3] = [("a.log", b"first\n"), ("half.gz", half), ("z.log", b"last\n")];
    for archive in [tar(&members), zip(&members, CompressionMethod::Stored), zip_stream(&members)] {
        let run = run(archive);
        let problem = run.problem();
        assert!(problem.starts_with("lines/half.gz: ends in the middle of its gzip data"), "{problem}");
        assert_eq!((read(&run)[0], read(&run)[2]), (("lines/a.log", 1), ("lines/z.log", 1)));
    }
}

#[test]
fn paths_that_lead_elsewhere_are_names_only() {
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["/etc/passwd.log", "../../up.log", "a\u{1b}[2J/b.log", "", "no/folder/"] {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(5);
        header.set_cksum();
        builder.append(&header, &b"line\n"[..]).unwrap();
    }
    let run = run(builder.into_inner().unwrap());
    let names = ["etc/passwd.log", "up.log", "a\u{fffd}[2J/b.log", "unnamed", "no/folder"];
    assert_eq!(read(&run), names.map(|name| (format!("lines/{name}"), 1)).each_ref().map(|(n, c)| (n.as_str(), *c)));
}

#[test]
fn links_and_devices_are_left_out_and_counted() {
    let mut builder = tar::Builder::new(Vec::new());
    let kinds = [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Char, tar::EntryType::Fifo];
    for (kind, name) in kinds.into_iter().zip(["s", "l", "c", "f"]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_path(name).unwrap();
        header.set_link_name("/etc/passwd").unwrap();
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
    }
    let mut header = tar::Header::new_ustar();
    header.set_size(5);
    builder.append_data(&mut header, format!("{}/a.log", "deep/".repeat(60)), &b"line\n"[..]).unwrap();
    let run = run(builder.into_inner().unwrap());
    let expected =
        "lines: has members that are left out: 4, the first is s; they are links, devices or pipes and no files";
    assert_eq!(problems(&run), [expected]);
    assert_eq!(read(&run), [(format!("lines/{}a.log", "deep/".repeat(60)).as_str(), 1)]);
}

#[test]
fn encrypted_members_are_told_and_the_others_read() {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let secret = SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, "secret");
    archive.start_file("secret.log", secret).unwrap();
    archive.write_all(b"hidden\n").unwrap();
    archive.start_file("open.log", SimpleFileOptions::default()).unwrap();
    archive.write_all(b"seen\n").unwrap();
    let run = run(archive.finish().unwrap().into_inner());
    let expected =
        "lines: has members that are left out: 1, the first is secret.log; they are encrypted; unpack it first";
    assert_eq!(problems(&run), [expected]);
    assert_eq!(read(&run), [("lines/open.log", 1)]);
}

#[test]
fn what_the_directory_of_a_zip_claims_does_not_matter() {
    let mut archive = deflated(&[("a.log", b"one\ntwo\n"), ("b.log", b"three\n")]);
    let directory = archive.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    archive[directory + 4..].fill(0xff);
    assert_eq!(read(&run(archive)), [("lines/a.log", 2), ("lines/b.log", 1)]);
}

#[test]
fn archives_behind_one_another_are_all_read_and_other_bytes_are_told() {
    let (one, two) = (deflated(&[("a.log", b"one\ntwo\n")]), zip_stream(&[("b.log", b"three\n")]));
    let both = [("lines/a.log", 2), ("lines/b.log", 1)];
    for padding in [0, 3, 512] {
        let run = run([&one[..], &two, &vec![0; padding]].concat());
        assert_eq!((read(&run), problems(&run)), (both.to_vec(), vec![]), "{padding}");
    }
    let followed = run([&one[..], &two, b"and more"].concat());
    assert_eq!(read(&followed), both);
    let problem = followed.problem();
    assert!(problem.starts_with("lines: has damaged zip data at byte "), "{problem}");
    assert!(problem.ends_with(" (what follows its end is no archive); the members before it are read"), "{problem}");
    // A directory that is cut lists nothing that was not read.
    let directory = one.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for end in directory + 4..one.len() {
        let run = run(&one[..end]);
        assert_eq!((read(&run), problems(&run)), (both[..1].to_vec(), vec![]), "{end}");
    }
}

#[test]
fn a_member_stored_without_its_length_is_told_as_such() {
    let mut stored = zip(&[("a.log", b"one\n")], CompressionMethod::Stored);
    // A bit says that the sizes come behind it.
    stored[6] |= 8;
    stored[14..26].fill(0);
    assert_eq!(
        problems(&run(stored)),
        [
            "lines: its member a.log does not say where it ends; the members after it cannot be found",
            "lines: has members that are left out: 1, the first is a.log; they are of a length that is told only behind \
             them; unpack it first",
        ]
    );
}

#[test]
fn packings_deeper_than_the_bound_are_left_out_and_told() {
    let mut packed = b"line\n".to_vec();
    for _ in 0..6 {
        packed = gzip(packed);
    }
    assert_eq!(run(&packed).report.totals.lines, 1);
    let deeper = run(zstd(&packed));
    assert_eq!(deeper.report.totals.lines, 0);
    assert!(
        problems(&deeper)[0].starts_with("lines: is packed more than 6 times (`max_depth`)"),
        "{:?}",
        problems(&deeper)
    );
}

#[test]
fn members_past_the_bound_are_left_out_and_told() {
    let members: Vec<(String, Vec<u8>)> = (0..20).map(|n| (format!("{n}.log"), b"line\n".to_vec())).collect();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    for archive in [tar(&members), deflated(&members)] {
        let run = run_with(vec![reader(archive)], &with(Unpacking { max_members: 7, ..Unpacking::default() }));
        assert_eq!(run.report.totals.lines, 7);
        assert!(run.problem().starts_with("lines: has more members than the 7 that are read (`max_members`)"));
    }
}

/// Zeros, packed as they are made.
fn zeros(gigabytes: u64) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    std::io::copy(&mut std::io::repeat(0).take(gigabytes << 30), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_bomb_is_read_up_to_its_bound_and_no_further() {
    let bomb = zeros(2);
    assert!(bomb.len() < 1 << 20);
    let nested = deflated(&[("first.log", b"before\n"), ("bomb.zst", &bomb), ("last.log", b"after\n")]);
    for (packed, lines) in [(bomb, 1), (gzip(nested), 2)] {
        let run = run(packed);
        assert_eq!(run.report.totals.lines, lines);
        let bytes = run.report.totals.bytes;
        assert!((1 << 29..(1 << 30) + (1 << 20)).contains(&bytes), "{bytes}");
        let problem = run.problem();
        assert!(
            problem.contains("unpacks to more than 500 times its size, which is the bound (`max_ratio`)"),
            "{problem}"
        );
        assert!(problem.ends_with("before it is counted (1)"), "{problem}");
    }
}

#[test]
fn the_bound_of_bytes_holds_for_all_members_together() {
    let text = sample(100_000, 33);
    let archive = deflated(&[("a.log", text.as_bytes()), ("b.log", text.as_bytes()), ("c.log", text.as_bytes())]);
    let bound = text.len() as u64 * 3 / 2;
    let run = run_with(vec![reader(archive)], &with(Unpacking { max_bytes: bound, ..Unpacking::default() }));
    assert!((145_000..155_000).contains(&run.report.totals.lines), "{}", run.report.totals.lines);
    assert!(run.problem().contains("(`max_bytes`)"), "{}", run.problem());
}

#[test]
fn the_bound_of_bytes_holds_for_an_input_that_is_not_packed_and_is_told() {
    let read =
        |max_bytes| run_with(vec![reader("one\ntwo\nthree\n")], &with(Unpacking { max_bytes, ..Unpacking::default() }));
    let bound = "lines: has more than the 8 bytes that are read of an input (`max_bytes`); raise the bound to read it to its \
         end; the lines before it are counted (2)";
    let cut = read(8);
    assert_eq!((cut.report.totals.lines, cut.problem()), (2, bound));
    let whole = read(14).report;
    assert_eq!((whole.totals.lines, &whole.inputs[0].problems[..]), (3, &[][..]));
}

#[test]
fn a_window_larger_than_the_bound_is_not_made() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(sample(10_000, 34).as_bytes()).unwrap();
    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.lzma_options.dict_size = 16 << 20;
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    xz.write_all(sample(10_000, 34).as_bytes()).unwrap();
    for packed in [encoder.finish().unwrap(), xz.finish().unwrap()] {
        assert_eq!(run(&packed).report.totals.lines, 10_000);
        let run = run_with(vec![reader(packed)], &with(Unpacking { max_window: 8 << 20, ..Unpacking::default() }));
        assert_eq!(run.report.totals.lines, 0);
        assert!(run.problem().contains("need a window of more than 8388608 bytes (`max_window`)"), "{}", run.problem());
    }
}
