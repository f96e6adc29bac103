//! The rows of a funnel: the elements of its pattern in order.

/// The rows, and which of them each step is.
#[derive(Clone, Debug, Default)]
pub(super) struct Elements {
    rows: Vec<Element>,
    /// The row of each step of the matcher.
    of_step: Vec<usize>,
}

/// One row of a funnel.
#[derive(Clone, Debug)]
pub(super) struct Element {
    /// How answers call it.
    pub label: String,
    pub what: What,
}

/// What has to happen for an attempt to reach a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Interactions fill this step of the matcher.
    Step(usize),
    /// As `Step`; attempts go on without it, too.
    Optional(usize),
    /// Nothing of its kind comes in time.
    Absence,
}

impl Elements {
    /// Adds a step of the matcher, in order.
    pub(super) fn step(&mut self, label: String, optional: bool) {
        let step = self.of_step.len();
        self.of_step.push(self.rows.len());
        let what = if optional { What::Optional(step) } else { What::Step(step) };
        self.rows.push(Element { label, what });
    }

    /// Adds something that must not come after the step that was added last.
    pub(super) fn absence(&mut self, label: String) {
        self.rows.push(Element { label, what: What::Absence });
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Element> + ExactSizeIterator {
        self.rows.iter()
    }

    pub(super) fn get(&self, row: usize) -> Option<&Element> {
        self.rows.get(row)
    }

    /// The row that a step of the matcher is.
    pub(super) fn row_of(&self, step: usize) -> Option<usize> {
        self.of_step.get(step).copied()
    }

    /// The last step of the matcher.
    pub(super) fn last_step(&self) -> usize {
        self.of_step.len().saturating_sub(1)
    }

    /// Whether attempts can do without a row.
    pub(super) fn is_optional(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|element| matches!(element.what, What::Optional(_)))
    }

    /// The row before `row` that every attempt there has reached.
    pub(super) fn required_before(&self, row: usize) -> Option<usize> {
        (0..row).rev().find(|&row| !self.is_optional(row))
    }

    /// The row of an attempt that passed `steps` steps of the matcher and
    /// `absences` of what must not come between the last of them and the next.
    pub(super) fn last_reached(&self, steps: usize, absences: usize) -> Option<usize> {
        let row = self.row_of(steps.checked_sub(1)?)?;
        let Some(place) = absences.checked_sub(1) else { return Some(row) };
        let is_absence =
            |&row: &usize| self.rows.get(row).is_some_and(|element| matches!(element.what, What::Absence));
        (row + 1..self.rows.len()).filter(is_absence).nth(place)
    }

    /// The last row that every attempt has to reach.
    pub(super) fn last_required(&self) -> Option<usize> {
        self.required_before(self.rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_steps_and_absences() {
        // (:a) -> NOT (:x) WITHIN … -> (:b)? -> NOT (:y) WITHIN … -> (:c) -> (:d)?
        let mut elements = Elements::default();
        elements.step("a".into(), false);
        elements.absence("no x".into());
        elements.step("b".into(), true);
        elements.absence("no y".into());
        elements.step("c".into(), false);
        elements.step("d".into(), true);
        let labels: Vec<&str> = elements.iter().map(|element| element.label.as_str()).collect();
        assert_eq!(labels, ["a", "no x", "b", "no y", "c", "d"]);
        assert_eq!(elements.row_of(2), Some(4));
        assert_eq!(elements.get(1).map(|element| element.what), Some(What::Absence));
        let reached = |steps, absences| elements.last_reached(steps, absences);
        assert_eq!((reached(1, 0), reached(1, 1), reached(1, 2)), (Some(0), Some(1), Some(3)));
        assert_eq!((reached(3, 0), reached(0, 0)), (Some(4), None));
        assert_eq!((elements.required_before(3), elements.required_before(0)), (Some(1), None));
        assert_eq!(elements.last_required(), Some(4));
    }
}
