//! `Layout`: how the lines of one input begin, voted over its first lines. A line by itself does not tell where its header
//! ends: what stands in brackets behind the level is a thread if every line has it, and part of the message if some have. Owns
//! the reading by the outcome of the vote; a line that fits none of the forms found is read by itself, as `super::read` does.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use super::{
    clock::{Days, Manner},
    digits::{Digits, Said},
    form::{Form, FormError},
    vote::{self, FORMS},
    w3c::{self, Table},
};

/// How the lines of an input begin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    /// In the order in which they are tried.
    pub(super) forms: Vec<Form>,
    /// The fronts of the lines that voted, as far as several have them.
    kinds: BTreeSet<u64>,
    /// What the columns of lines are, where a line says it.
    pub(super) tables: Vec<Table>,
    /// Whether every line is all message.
    pub(super) plain: bool,
    /// Whether someone said so; then fields of JSON and the like are looked for only in lines that do not fit.
    pub(super) given: bool,
}

/// How the lines of all inputs begin, as far as someone says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LineFormat {
    given: Option<Arc<Layout>>,
    /// Of lines that these are to be compared with.
    before: Vec<Arc<Layout>>,
    /// Whether the names of programs before those were taken off, if there were many.
    named: Option<bool>,
}

impl LineFormat {
    /// Voted for each input.
    pub const AUTO: Self = Self { given: None, before: Vec::new(), named: None };

    fn of(layout: Layout) -> Self {
        Self { given: Some(Arc::new(layout)), ..Self::AUTO }
    }

    /// The layout, where one is given.
    pub(crate) fn given(&self) -> Option<&Arc<Layout>> {
        self.given.as_ref()
    }

    /// Whether names of programs before the lines are to be taken off, if that is known.
    pub(crate) fn named(&self) -> Option<bool> {
        self.named
    }

    /// The layout of an input whose first lines are these.
    pub(crate) fn layout<'a>(&self, lines: impl Iterator<Item = &'a [u8]> + Clone, reference_time: i64) -> Arc<Layout> {
        let voted = || Arc::new(Layout::vote(lines, reference_time).after(&self.before));
        self.given.as_ref().map_or_else(voted, Arc::clone)
    }

    /// The same for lines that are to be compared with those of inputs with such layouts and names, and are therefore read as
    /// those were.
    pub(crate) fn after<'a>(&self, layouts: impl Iterator<Item = &'a Arc<Layout>>, named: Option<bool>) -> Self {
        let mut before: Vec<Arc<Layout>> = Vec::new();
        for layout in layouts {
            if !before.iter().any(|known| known.forms == layout.forms && known.tables == layout.tables) {
                before.push(Arc::clone(layout));
            }
        }
        Self { given: self.given.clone(), before, named }
    }
}

/// `auto`, `plain` (the whole line is the message), or a form like `{time} {level} [{thread}] {message}`.
impl FromStr for LineFormat {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        match text {
            "auto" => Ok(Self::AUTO),
            "plain" => Ok(Self::of(Layout::plain())),
            text if text.contains(['{', '}']) => Ok(Self::of(Layout::of_text(text)?)),
            text => Err(FormError::Unknown(text.to_owned())),
        }
    }
}

impl Layout {
    /// Every line is all message.
    pub fn plain() -> Self {
        Self { plain: true, given: true, ..Self::default() }
    }

    /// Whether every line is all message.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Of a text like `{time} {level} [{thread}] {message}`.
    ///
    /// # Errors
    /// When the text is no such form; in words.
    pub fn of_text(text: &str) -> Result<Self, FormError> {
        Ok(Self { forms: vec![Form::parse(text)?], given: true, ..Self::default() })
    }

    /// The vote. A function of the set of lines: their order changes nothing.
    pub fn vote<'a>(lines: impl Iterator<Item = &'a [u8]> + Clone, reference_time: i64) -> Self {
        let tables = w3c::tables(lines.clone());
        let (forms, kinds) = vote::vote(lines, reference_time);
        Self { forms, kinds, tables, ..Self::default() }
    }

    /// With what lines further on voted: forms that begin as none here does.
    pub(crate) fn with(&self, later: &Self) -> Self {
        let mut forms = self.forms.clone();
        let others = |form: &&Form| !self.forms.iter().any(|before| before.core().is_like(&form.core()));
        for form in later.forms.iter().filter(others).take(FORMS - self.forms.len()) {
            let place = forms.iter().position(|before| vote::rank(before) > vote::rank(form));
            forms.insert(place.unwrap_or(forms.len()), form.clone());
        }
        let tables = w3c::together(&self.tables, &later.tables);
        Self { forms, kinds: &self.kinds | &later.kinds, tables, ..*self }
    }

    /// Whether a line begins as some of those do that voted; `None` where there is nothing to vote on.
    pub(crate) fn knows(&self, line: &[u8], reference_time: i64) -> Option<bool> {
        vote::kind(line, reference_time).map(|kind| self.kinds.contains(&kind))
    }

    /// The form that someone gave, as text.
    pub(crate) fn given_form(&self) -> Option<String> {
        self.forms().next().filter(|_| self.given)
    }

    /// Whether a line begins like one of the forms.
    pub(crate) fn fits(&self, line: &[u8], reference_time: i64) -> bool {
        self.read(Digits::open(line), reference_time, &mut Days::default()).is_some()
    }

    /// Whether lines further on may add to it.
    pub(crate) fn may_grow(&self) -> bool {
        !self.given && self.forms.len() < FORMS
    }

    /// Each form behind those of other layouts that begin as it does, so that a line of both is read alike: what stands in
    /// brackets behind the level may be a thread by the vote of the one and part of the message by that of the other. Their other
    /// forms come last, for lines that are too few here to vote.
    fn after(mut self, others: &[Arc<Self>]) -> Self {
        let theirs = || others.iter().flat_map(|other| &other.forms);
        let of_core = |core: Form| theirs().filter(move |form| form.core().is_like(&core)).cloned();
        let mut forms: Vec<Form> = Vec::new();
        let own = self.forms.drain(..).flat_map(|form| of_core(form.core()).chain([form]));
        for form in own.chain(theirs().cloned()) {
            if !forms.iter().any(|before| before.is_like(&form)) {
                forms.push(form);
            }
        }
        forms.truncate(FORMS);
        let tables = others.iter().fold(self.tables, |tables, other| w3c::together(&tables, &other.tables));
        Self { forms, tables, ..self }
    }

    /// Whether each of its forms is one of some others.
    pub(crate) fn is_of(&self, others: &[&Self]) -> bool {
        let in_some = |form: &Form| others.iter().any(|other| other.forms.iter().any(|theirs| theirs.is_like(form)));
        let tells = |table: &Table| others.iter().any(|other| other.tables.contains(table));
        self.forms.iter().all(in_some) && self.tables.iter().all(tells)
    }

    /// The forms, as text.
    pub fn forms(&self) -> impl Iterator<Item = String> {
        self.forms.iter().map(ToString::to_string)
    }

    /// What the ways in which lines are read are called, by their numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        let forms = self.forms().map(Some).chain(std::iter::repeat(None)).take(FORMS).map(Option::unwrap_or_default);
        forms.chain(super::WAYS_BEHIND_FORMS.map(str::to_owned))
    }

    /// Reads a line by the first form that it fits, rather one whose times are written as its own is; tells which.
    #[inline]
    pub(super) fn read<'a>(&self, digits: Digits<'a>, reference: i64, days: &mut Days) -> Option<(usize, Said<'a>)> {
        [Manner::Own, Manner::Any].into_iter().find_map(|manner| {
            let mut forms = self.forms.iter().enumerate();
            forms.find_map(|(i, form)| Some((i, form.read(digits, manner, reference, days, |_, _| {})?)))
        })
    }
}
