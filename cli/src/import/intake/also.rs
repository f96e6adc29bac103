//! Rows that carry several identities: columns that the map calls so.

use throughline::engine::{Identity, IdentityRef, limits};

use super::Table;
use crate::failure::{Failure, Outcome};
use crate::import::conversion::identity_text;
use crate::import::mapping::ColumnRule;
use crate::import::parquet::Values;
use crate::import::record::Record;
use crate::import::rejects::{Reason, Refusal};
use crate::import::values::says_nothing;

/// A column of identities beside the customer.
pub(super) struct AlsoColumn {
    pub(super) column: usize,
    namespace: String,
    header: String,
}

impl Table {
    /// Takes a column of identities.
    pub(super) fn add_identity(&mut self, rule: ColumnRule) -> Outcome<()> {
        let ColumnRule { column, namespace, header, .. } = rule;
        self.also.push(AlsoColumn { column, namespace: namespace.unwrap_or_default(), header });
        if self.also.len() >= limits::ROW_IDENTITIES_MAX {
            return Err(Failure::said(format!(
                "the map makes identities of {} columns of {}; a row carries {} at most, the customer included",
                self.also.len(),
                self.file,
                limits::ROW_IDENTITIES_MAX
            )));
        }
        Ok(())
    }

    /// Everything that a row goes by: one identity, and the others.
    pub(super) fn identities(&self, record: &impl Record) -> Result<(Identity, Vec<Identity>), Refusal> {
        let own = self.identity(record);
        if self.also.is_empty()
            && let Some(own) = own
        {
            return own.map(|own| (own, Vec::new()));
        }
        let (mut all, mut nobody) = (Vec::new(), None);
        match own {
            Some(Ok(own)) => all.push(own),
            Some(Err(refusal)) if refusal.reason == Reason::NoCustomer => nobody = Some(refusal),
            Some(Err(refusal)) => return Err(refusal),
            None => {}
        }
        for AlsoColumn { column, namespace, header } in &self.also {
            let text = identity_text(record.field(*column));
            let text = text.trim();
            if !says_nothing(text) {
                let identity = Identity::new(namespace, text);
                all.push(
                    identity
                        .map_err(|error| Refusal::value(Reason::BadCustomer, header, error.to_string()))?,
                );
            }
        }
        if all.is_empty() {
            return Err(nobody.unwrap_or_else(|| Refusal::row(Reason::NoCustomer, "")));
        }
        let first = all.remove(0);
        Ok((first, all))
    }

    /// Begins an interaction with everything that its row goes by; not where that is nothing, or
    /// something is no identity. `texts` are laid down anew.
    pub(super) fn begin_carrying(
        &mut self,
        customer: Option<&Values>,
        also: &[Option<&Values>],
        row: usize,
        time: i64,
        texts: &mut Vec<String>,
    ) -> Outcome<bool> {
        let own = self.customer.as_ref().and_then(|(_, namespace, _)| namespace.as_deref());
        let columns = std::iter::once((customer, own))
            .chain(also.iter().copied().zip(self.also.iter().map(|also| Some(also.namespace.as_str()))));
        let (mut given, mut buffer) = (0, String::new());
        for (values, namespace) in columns {
            let Some(values) = values else { continue };
            let text = identity_text(values.at(row));
            if says_nothing(text.trim()) {
                continue;
            }
            let Ok(identity) = IdentityRef::read(&text, namespace, &mut buffer) else { return Ok(false) };
            if texts.len() == given {
                texts.push(String::new());
            }
            if let Some(text) = texts.get_mut(given) {
                text.clear();
                text.push_str(identity.as_str());
            }
            given += 1;
        }
        for (place, text) in texts.iter().take(given).enumerate() {
            let identity = IdentityRef::read(text, None, &mut buffer)?;
            match place {
                0 => self.batch.begin_by_ref(identity, time),
                _ => self.batch.also(identity)?,
            }
        }
        Ok(given > 0)
    }
}
