use std::{collections::BTreeSet, fs};

use e2e::{repository, samples};

#[test]
fn every_sample_has_as_many_lines_as_its_readme_says() {
    for sample in samples() {
        let text = sample.text();
        let lines = text.split_inclusive(|&byte| byte == b'\n').count() as u64;
        assert_eq!(lines, sample.lines, "{}", sample.name);
    }
}

#[test]
fn the_readme_lists_every_sample_and_no_other() {
    let listed: BTreeSet<String> = samples().into_iter().map(|sample| sample.name).collect();
    let there: BTreeSet<String> = fs::read_dir(repository().join("sample-logs"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file() && entry.file_name() != "README.md")
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn the_samples_take_at_most_six_megabytes() {
    let bytes: u64 = samples().iter().map(|sample| fs::metadata(&sample.path).unwrap().len()).sum();
    assert!(bytes <= 6_000_000, "{bytes} bytes");
}

#[test]
fn the_samples_name_nothing_of_the_machine_they_were_captured_on() {
    for sample in samples() {
        let text = String::from_utf8_lossy(&sample.text()).into_owned();
        for trace in ["/root/", " /home/", "/tmp/", "/work/", "file:///tmp"] {
            assert!(!text.contains(trace), "{} holds {trace}", sample.name);
        }
    }
}
