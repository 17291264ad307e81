use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use e2e::{logkin, logkin_balancer, repository, run};

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of a text that `keep` and are spelled with these characters.
fn words(text: &str, spelled: fn(char) -> bool, keep: fn(&str) -> bool) -> BTreeSet<&str> {
    text.split(|c| !spelled(c)).filter(|word| keep(word)).collect()
}

fn flags(text: &str) -> BTreeSet<&str> {
    words(
        text,
        |c| c.is_ascii_lowercase() || c == '-',
        |word| word.starts_with("--") && word.contains(|c: char| c != '-'),
    )
}

#[test]
fn every_flag_is_on_the_page_of_flags_and_no_other() {
    let page = read("docs/configuration.md");
    let mut known = BTreeSet::from(["--help".to_owned(), "--version".to_owned()]);
    for (program, verbs) in [
        (logkin(), &["cluster", "compare", "label", "evaluate", "serve", "up"][..]),
        (logkin_balancer(), &["run", "check"]),
    ] {
        for verb in verbs {
            let help = run(Command::new(&program).args([verb, "--help"]), b"").stdout;
            known.extend(flags(&help).into_iter().map(str::to_owned));
        }
    }
    assert!(known.len() > 15, "{known:?}");
    let missing: Vec<&String> = known
        .iter()
        .filter(|flag| !page.contains(*flag) && !["--help", "--version"].contains(&flag.as_str()))
        .collect();
    assert_eq!(missing, Vec::<&String>::new(), "not in docs/configuration.md");
    let page = format!("{page}{}", read("README.md"));
    let of_cargo = ["--release", "--workspace", "--data-binary"];
    let unknown: Vec<&str> =
        flags(&page).into_iter().filter(|flag| !known.contains(*flag) && !of_cargo.contains(flag)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "no program has these");
}

#[test]
fn every_key_of_the_balancers_file_is_on_the_page() {
    let (page, example) = (read("docs/configuration.md"), read("balancer/examples/every-key.toml"));
    let keys: Vec<&str> = example.lines().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    assert!(keys.len() > 15, "{keys:?}");
    let missing: Vec<&&str> = keys.iter().filter(|key| !page.contains(&format!("`{key}`"))).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

#[test]
fn every_test_that_the_architecture_page_names_exists() {
    let page = read("docs/architecture.md");
    let named = words(
        &page,
        |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
        |word| word.matches('_').count() >= 4,
    );
    assert!(named.len() > 20, "{named:?}");
    let mut sources = String::new();
    for folder in ["engine", "app", "balancer", "tests"] {
        gather(&repository().join(folder), &mut sources);
    }
    let missing: Vec<&str> = named.into_iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

fn gather(folder: &Path, sources: &mut String) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("target") {
            gather(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_file_that_the_papers_name_is_there() {
    for paper in ["README.md", "CONTRIBUTING.md", "docs/architecture.md"] {
        let text = read(paper);
        let named: Vec<&str> = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.contains('/') && !word.contains(char::is_whitespace))
            .filter(|word| !word.starts_with(['/', '~', '$']) && PathBuf::from(word).extension().is_some())
            .collect();
        assert!(!named.is_empty(), "{paper}");
        for name in named {
            assert!(repository().join(name).exists(), "{paper} names {name}");
        }
    }
}

/// Each command of the README that has what it prints below it, line by line.
fn printed_examples(text: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    let blocks = text.split("```").skip(1).step_by(2).map(|block| block.trim().lines());
    let examples = blocks.filter_map(|mut lines| Some((lines.next()?.strip_prefix("$ logkin ")?, lines)));
    examples.map(|(command, printed)| (command.split_whitespace().collect(), printed.collect())).collect()
}

/// Whether a line is the one that is shown, which may be cut where a screen ends.
fn is_shown(line: &str, shown: &str) -> bool {
    line == shown || shown.strip_suffix('…').is_some_and(|begin| line.starts_with(begin))
}

#[test]
fn the_readmes_commands_print_what_it_shows() {
    let text = read("README.md");
    let examples = printed_examples(&text);
    assert!(!examples.is_empty());
    for (arguments, shown) in examples {
        let out = run(Command::new(logkin()).current_dir(repository()).args(&arguments), b"");
        let printed: Vec<&str> = out.stdout.lines().collect();
        assert_eq!(printed.len(), shown.len(), "{}{}", out.stdout, out.stderr);
        for (printed, shown) in printed.into_iter().zip(shown) {
            assert!(is_shown(printed, shown), "logkin {} prints\n{printed}\nfor\n{shown}", arguments.join(" "));
        }
    }
}
