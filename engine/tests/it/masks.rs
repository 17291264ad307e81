use logkin_engine::{shape::Shaper, template::Template};

/// Each pair of lines: a message, and its shape with `> ` before it.
#[test]
fn variables_are_masked_by_their_looks_and_words_are_not() {
    let cases = include_str!("cases/masks.txt");
    let lines: Vec<&str> = cases.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 60, "only {} lines found", lines.len());
    let mut shaper = Shaper::default();
    for pair in lines.chunks(2) {
        let expected = pair[1].strip_prefix("> ").unwrap();
        assert_eq!(Template::of_shape(shaper.shape(pair[0].as_bytes())).typed(), expected, "of {:?}", pair[0]);
    }
}

#[test]
fn control_characters_are_shown_and_colours_left_out() {
    let mut shaper = Shaper::default();
    let shape = shaper.shape(b"\x1b[31merror\x1b[0m\tat\x0e \xff\x00 end\r\n").to_vec();
    assert_eq!(Template::of_shape(&shape).text(), "error at\u{fffd} \u{fffd}\u{fffd} end");
}

#[test]
fn what_is_left_of_a_value_is_none_when_it_is_masked_again() {
    let mut shaper = Shaper::default();
    for (message, expected) in [
        ("e2::e2ee:99999", "e2::e2ee:<*>"),
        ("EEEEEEEE.0", "EEEEEEEE.<*>"),
        ("true.00", "true.<*>"),
        (":::A:::1A:::A::AC:A1A/", ":::A:::<*>:::A::AC:A1A/"),
        ("e2:e2::BB::BBBB..9", "e2:e2::BB::BBBB..<*>"),
        ("1/::A9::A", "<*>/::<*>"),
        ("0HTTP/x\" 404", "<*>/x\" <*>"),
        ("<*>:50010 /mnt/<*>/data <*>12", "<*>:<*> /mnt/<*>/data <*>"),
    ] {
        let once = Template::of_shape(shaper.shape(message.as_bytes())).text();
        assert_eq!(once, expected);
        assert_eq!(Template::of_shape(shaper.shape(once.as_bytes())).text(), once);
    }
}

#[test]
fn slots_are_found_again_in_the_message() {
    let mut shaper = Shaper::default();
    let message = b"  took 12ms\tfor 10.0.0.1:80 ";
    let template = Template::of_shape(shaper.shape(message));
    let spans = template.spans(message).unwrap();
    let texts: Vec<&[u8]> = spans.iter().map(|(range, _)| &message[range.clone()]).collect();
    assert_eq!(texts, [&b"12ms"[..], b"10.0.0.1", b"80"]);
    assert_eq!(template.spans(b"something else"), None);
}

#[test]
fn a_word_of_any_length_and_make_is_masked_without_using_up_the_stack() {
    let mut shaper = Shaper::default();
    for unit in ["a..", "a@", "x:", "1a", "a/b", "=1,", "[", "-", "€..", "\""] {
        let text = Template::of_shape(shaper.shape(unit.repeat(64 << 10).as_bytes())).text();
        assert!(Template::of_shape(shaper.shape(text.as_bytes())).text() == text, "{unit}");
    }
}
