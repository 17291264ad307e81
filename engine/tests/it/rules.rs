//! Corrections: the file, what each rule does, and that they compose.

use std::sync::Arc;

use logkin_engine::{Hierarchy, Progress, Report, Rules, Settings, gather};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::harness::{Run, counts_close, reader, run_with};

fn with(rules: &str, lines: &[&str]) -> Run {
    let rules = Rules::parse("rules.toml", rules).unwrap();
    let settings = Settings { rules: Some(Arc::new(rules)), ..Settings::default() };
    let run = run_with(vec![reader(lines.join("\n"))], &settings);
    for cluster in &run.report.clusters {
        let found = run.recording().lines(&cluster.shapes, 0, usize::MAX).unwrap();
        assert_eq!(found.len() as u64, cluster.lines, "the lines behind {}", cluster.template);
    }
    for aside in &run.report.set_aside {
        let found = run.recording().lines(&[aside.shape], 0, usize::MAX).unwrap();
        assert_eq!(found.len() as u64, aside.lines, "the lines set aside as {}", aside.reason);
    }
    run
}

fn told(report: &Report) -> Vec<String> {
    let cluster = |cluster: &logkin_engine::report::Cluster| {
        let title = cluster.title.clone().unwrap_or_default();
        let remark = if cluster.is_muted { "muted" } else { &title };
        format!("{} | {} | {remark}", cluster.lines, cluster.template).trim_end().to_owned()
    };
    let aside = |aside: &logkin_engine::report::SetAside| format!("{} | set aside | {}", aside.lines, aside.reason);
    let mut told: Vec<String> = report.clusters.iter().map(cluster).collect();
    told.sort_by(|a, b| (b.split(' ').next(), a).cmp(&(a.split(' ').next(), b)));
    told.extend(report.set_aside.iter().map(aside));
    told
}

/// The block of a page that begins with this fence.
fn block<'p>(page: &'p str, fence: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("```{fence}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_example_of_the_page_about_rules_is_what_comes_out() {
    let page = include_str!("../../../docs/rules.md");
    let lines: Vec<&str> = block(page, "log").lines().collect();
    let run = with(block(page, "toml"), &lines);
    let expected: Vec<&str> = block(page, "result").lines().map(str::trim_end).collect();
    assert_eq!(told(&run.report), expected);
    assert_eq!(run.report.problems, Vec::<String>::new());
    let used = run.report.rules.unwrap();
    let lines: Vec<(&str, u64)> = used.rules.iter().map(|rule| (rule.action.as_str(), rule.lines)).collect();
    assert_eq!(lines, [("ignore", 2), ("mask", 2), ("merge", 2), ("split", 3), ("rename", 1), ("mute", 1)]);
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_line() {
    let text = r#"
colour = "red"

[[rule]]
mask = "("

[[rule]]
ignore = ["", "0123456789abcdef"]

[[rule]]
merge = "a"
mute = "b"

[[rule]]
name = "twice"
mask = "x*"
kind = "colour"

[[rule]]
name = "twice"
rename = "a <*>"
titel = "A"

[[rule]]
split = "a <*>"
slot = 2

[[rule]]
split = "a <*>"

[[rule]]
name = "idle"

[[rule]]
split = "no place"
slot = 1
"#;
    let mistakes = Rules::parse("some/rules.toml", text).unwrap_err().0;
    let expected = [
        "some/rules.toml:2: unknown key `colour`; expected only [[rule]]",
        "some/rules.toml:5: `mask`: it is no regular expression: unclosed group",
        "some/rules.toml:8: expected a text in quotes, not an empty one",
        "some/rules.toml:10: the rule says to merge and mute; expected one of mask, ignore, merge, split, rename, mute",
        "some/rules.toml:16: `mask`: it matches the empty text; write an expression that needs at least one character",
        "some/rules.toml:17: there is no kind `colour`; expected one of *, number, hex, uuid, ip, port, path, url, host, \
         mail, time, duration, size, quoted, bool, id, mac, version",
        "some/rules.toml:19: `rename` has no `title`; expected what to show instead of the template",
        "some/rules.toml:19: there is a rule named `twice` before; give this one a name of its own",
        "some/rules.toml:22: unknown key `titel`; expected here: name, rename, title",
        "some/rules.toml:26: `slot` is not the number of a <*> that each pattern has; expected 1 to 1",
        "some/rules.toml:28: `split` needs either `slot`, the number of a <*>, or `texts` to tell lines apart by",
        "some/rules.toml:31: the rule has nothing to do; expected one of mask, ignore, merge, split, rename, mute",
        "some/rules.toml:36: `slot` is not the number of a <*> that each pattern has; expected a <*> in each pattern",
    ];
    assert_eq!(mistakes, expected);
    let broken = Rules::parse("rules.toml", "[[rule]\nmute = \n").unwrap_err().0;
    assert!(broken.iter().all(|m| m.starts_with("rules.toml:") && m.contains("; this is not TOML")), "{broken:?}");
}

#[test]
fn a_log_where_rules_are_expected_is_one_mistake_with_how_many_more_there_are() {
    let log = "2024-05-01 10:00:00 INFO user 7 left\n".repeat(100);
    let mistakes = Rules::parse("app.log", &log).unwrap_err().0;
    let [one] = &mistakes[..] else { panic!("{mistakes:?}") };
    assert!(one.starts_with("app.log:1: ") && one.contains("; this is not TOML, and "), "{one}");
    assert!(one.ends_with(" mistakes more"), "{one}");
}

#[test]
fn a_rule_that_matches_nothing_is_a_problem_with_its_line() {
    let run = with("\n[[rule]]\nmute = \"no such line\"\n", &["a line"]);
    assert_eq!(run.report.problems, ["rules.toml:2: `rule 1` matches nothing in this log; correct or remove it"]);
}

#[test]
fn a_template_that_does_not_fit_what_its_rule_merges_is_a_problem() {
    let merge = "[[rule]]\nname = \"logins\"\nmerge = [\"login of <*> failed\", \"<*> was refused\"]\n";
    let lines = ["login of 1 failed", "login of 2 failed", "authentication of 3 was refused"];
    let run = with(&format!("{merge}template = \"login of <*>\"\n"), &lines);
    let expected = "rules.toml:1: the `template` of `logins` does not fit 1 of the 2 shapes that it merges, as \
         `authentication of <*> was refused`, so what they have in common is shown; write `<*>` in it where they differ";
    assert_eq!(run.report.problems, [expected]);
    assert_eq!(told(&run.report), ["3 | <*> of <*> |"]);
    let run = with(&format!("{merge}template = \"<*> of <*> <*>\"\n"), &lines);
    assert_eq!((run.report.problems.len(), &*run.report.clusters[0].template), (0, "<*> of <*> <*>"));
}

#[test]
fn a_cluster_is_named_by_its_id_too() {
    let lines = ["user 1 went away", "the disk is full", "the disk is full"];
    let plain = with("", &lines).report;
    let id = &plain.clusters.iter().find(|c| c.template == "user <*> went away").unwrap().id.0;
    let run = with(&format!("[[rule]]\nrename = \"{id}\"\ntitle = \"Gone\"\n"), &lines);
    assert_eq!(told(&run.report), ["2 | the disk is full |", "1 | user <*> went away | Gone"]);
    let renamed = run.report.clusters.iter().find(|c| c.title.is_some()).unwrap();
    assert_eq!(&renamed.id.0, id, "the id depends on the template only");
}

#[test]
fn lines_are_split_by_texts_that_they_hold() {
    let lines: Vec<String> = (0..12)
        .map(|n| {
            format!(
                "call of {} ended {}",
                crate::harness::words(n * 7919),
                if n % 3 == 0 { "too late" } else { "well" }
            )
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let run = with(
        "[[rule]]\nmerge = \"call of <*>\"\n[[rule]]\nsplit = \"call of <*>\"\ntexts = [\"too late\", \"well\"]\n",
        &lines,
    );
    assert_eq!(told(&run.report), ["8 | call of <*> ended well |", "4 | call of <*> ended too late |"]);
}

#[test]
fn what_is_ignored_may_be_named_by_values_and_in_any_script() {
    let lines = [
        "GET /health 200",
        "GET  /health\t503",
        "GET /x 200",
        "用户 7 登录",
        "\u{1b}[1mGET /health 1\u{1b}[0m",
        "GET /health",
    ];
    let run = with("[[rule]]\nignore = [\"GET /health <*>\", \"用户 <*>\"]\n", &lines);
    assert_eq!(run.report.totals.set_aside, 4, "{:?}", run.report.clusters);
}

#[test]
fn a_mask_works_inside_words_and_lines_keep_matching_their_template() {
    let run = with(
        "[[rule]]\nmask = 'tenant-\\w+'\nkind = \"host\"\n",
        &["open tenant-anna/x", "open tenant-bert/x", "open y"],
    );
    let masked = run.report.clusters.iter().find(|c| c.lines == 2).unwrap();
    assert_eq!(masked.template, "open <*>/x");
    assert_eq!(run.report.rules.unwrap().rules[0].lines, 2);
}

/// Rules over few words, so that they meet.
fn rule() -> impl Strategy<Value = String> {
    let pattern = select(vec!["a <*>", "<*> b", "<*>", "a b <*>", "<*> c <*>", "a", "b c", "<*> x"]);
    let pattern = pattern.prop_map(|text| format!("{text:?}"));
    let patterns = vec(pattern, 1..3).prop_map(|patterns| format!("[{}]", patterns.join(", ")));
    (patterns, 0..6).prop_map(|(patterns, action)| match action {
        0 => format!("merge = {patterns}"),
        1 => format!("merge = {patterns}\ntemplate = \"<*>\""),
        2 => format!("split = {patterns}\ntexts = [\"a\", \"b\", \"c\"]"),
        3 => format!("rename = {patterns}\ntitle = \"A title\""),
        4 => format!("mute = {patterns}"),
        _ => format!("ignore = {patterns}"),
    })
}

fn surveyed(lines: &[String], rules: &[String]) -> Hierarchy {
    let text: String = rules.iter().map(|rule| format!("[[rule]]\n{rule}\n")).collect();
    let rules = Some(Arc::new(Rules::parse("rules.toml", &text).unwrap()));
    let settings = Settings { rules, ..Settings::default() };
    gather(vec![reader(lines.join("\n") + "\n")], &settings, &Progress::default(), None).unwrap().into_hierarchy()
}

fn sentence() -> impl Strategy<Value = String> {
    vec(select(vec!["a", "b", "c", "x", "7", "d"]), 1..5).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn rules_after_others_change_nothing_of_what_those_touched(lines in vec(sentence(), 1..30), rules in vec(rule(), 1..5), more in vec(rule(), 0..3)) {
        let all = [rules.clone(), more.clone()].concat();
        let (first, both) = (surveyed(&lines, &rules).cut(0.5), surveyed(&lines, &all).cut(0.5));
        counts_close(&both);
        // What the first rules said they touched, they still say when others come after them.
        let (first, both) = (first.rules.unwrap().rules, both.rules.unwrap().rules);
        for (first, both) in first.iter().zip(&both) {
            let ignores_later = more.iter().any(|rule| rule.starts_with("ignore"));
            prop_assert!(first == both || ignores_later, "{first:?} {both:?}");
        }
    }

    #[test]
    fn the_last_merge_of_the_same_lines_wins(lines in vec(sentence(), 1..30), rules in vec(rule(), 0..4)) {
        let all = [rules, vec!["merge = \"<*>\"".to_owned()]].concat();
        prop_assert!(surveyed(&lines, &all).cut(0.5).clusters.len() <= 1);
    }

    #[test]
    fn lines_close_whatever_the_rules_and_however_often_they_are_cut(
        lines in vec(sentence(), 1..30), rules in vec(rule(), 0..5), similarity in 0.0..=1.0,
    ) {
        let hierarchy = surveyed(&lines, &rules);
        let report = hierarchy.cut(similarity);
        counts_close(&report);
        let mut packed = Vec::new();
        hierarchy.write(&mut packed).unwrap();
        prop_assert_eq!(Hierarchy::read(&packed[..]).unwrap().cut(similarity), report);
    }
}
