//! An interaction as expressions see it: its customer, identity and time,
//! then its attributes.

use throughline_engine::{AttrId, AttrType, Attribute, Block, Column, IdentityOrdinal, Schema, Subject};

use super::flow::Flow;
use crate::diagnostics::Diagnostic;
use crate::rows::{
    Cell, Cells, Column as ScopeColumn, Env, RowType, Scope, row_type, stored, unknown_column,
};
use crate::syntax::ast::Name;

/// The slot of the customer. Slots below 65536 are attributes.
pub(crate) const CUSTOMER: usize = 1 << 16;
/// The slot of the time.
pub(crate) const AT: usize = (1 << 16) + 1;
/// The slot of the identity it came under.
pub(crate) const IDENTITY: usize = (1 << 16) + 2;

/// The attribute behind a slot.
pub(crate) fn attribute(slot: usize) -> Option<AttrId> {
    if slot == IDENTITY { Some(AttrId::IDENTITY) } else { u16::try_from(slot).ok().map(AttrId) }
}

/// One row of a flow.
pub(crate) struct InteractionRow<'a> {
    flow: &'a Flow,
    journey: usize,
    row: usize,
    env: &'a Env<'a>,
}

impl<'a> InteractionRow<'a> {
    pub(crate) fn new(flow: &'a Flow, journey: usize, row: usize, env: &'a Env<'a>) -> Self {
        Self { flow, journey, row, env }
    }
}

impl Cells for InteractionRow<'_> {
    fn cell(&self, slot: usize) -> Cell {
        match slot {
            CUSTOMER => Cell::Customer(self.flow.customer(self.journey)),
            AT => self.flow.block().times.get(self.row).map_or(Cell::Null, |&at| Cell::Time(at)),
            IDENTITY => identity_cell(self.flow.block(), self.row),
            _ => value(slot, self.flow, self.row, self.env),
        }
    }
}

/// The identity an interaction came under.
pub(crate) fn identity_cell(block: &Block, row: usize) -> Cell {
    match block.column(AttrId::IDENTITY) {
        Some(Column::Int { values, .. }) => values
            .get(row)
            .and_then(|&ordinal| u32::try_from(ordinal).ok())
            .map_or(Cell::Null, |ordinal| Cell::Identity(IdentityOrdinal(ordinal))),
        _ => Cell::Null,
    }
}

fn value(slot: usize, flow: &Flow, row: usize, env: &Env) -> Cell {
    let Some(attr) = attribute(slot) else { return Cell::Null };
    let Some(column) = flow.block().column(attr) else { return Cell::Null };
    let ty = env.snapshot.schema().get(attr).map_or(RowType::Int, |attribute| row_type(attribute.ty));
    stored(column, attr, &ty, row)
}

/// The names of an interaction.
pub(crate) struct InteractionScope<'a> {
    schema: &'a Schema,
}

impl<'a> InteractionScope<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        Self { schema }
    }
}

impl Scope for InteractionScope<'_> {
    fn resolve(&self, qualifier: Option<&Name>, name: &Name) -> Result<ScopeColumn, Diagnostic> {
        if let Some(qualifier) = qualifier {
            return Err(Diagnostic::error(
                "E301",
                qualifier.span.to(name.span),
                format!("there is nothing called `{qualifier}` here"),
            )
            .label("unknown name")
            .help(format!(
                "write `{name}` for the interaction's own, `customer.{name}` for the customer's"
            )));
        }
        let reserved = |ty, slot| Ok(ScopeColumn { ty, attr: None, slot });
        if name.text.eq_ignore_ascii_case("customer") {
            return reserved(RowType::Customer, CUSTOMER);
        }
        if name.text.eq_ignore_ascii_case("at") {
            return reserved(RowType::Time, AT);
        }
        if name.text.eq_ignore_ascii_case("identity") {
            return reserved(RowType::Identity, IDENTITY);
        }
        match self.schema.find(Subject::Interaction, &name.text) {
            Some(attribute) => Ok(ScopeColumn {
                ty: row_type(attribute.ty),
                attr: symbols_of(attribute),
                slot: usize::from(attribute.id.0),
            }),
            None => Err(unknown_column(&name.text, name.span, &self.known_names())),
        }
    }

    fn known_names(&self) -> Vec<String> {
        let own =
            self.schema.attributes().iter().filter(|attribute| attribute.subject == Subject::Interaction);
        ["customer", "identity", "at"]
            .map(str::to_owned)
            .into_iter()
            .chain(own.map(|own| own.name.clone()))
            .collect()
    }
}

/// The attribute itself, where its values are symbols.
pub(crate) fn symbols_of(attribute: &Attribute) -> Option<AttrId> {
    (attribute.ty == AttrType::Symbol).then_some(attribute.id)
}

/// The interaction attribute called `name`.
pub(crate) fn named(schema: &Schema, name: &Name, sink: &mut Vec<Diagnostic>) -> Option<Attribute> {
    match schema.find(Subject::Interaction, &name.text) {
        Some(attribute) => Some(attribute.clone()),
        None => {
            let known = schema.attributes().iter().filter(|known| known.subject == Subject::Interaction);
            let known: Vec<String> = known.map(|known| known.name.clone()).collect();
            sink.push(unknown_column(&name.text, name.span, &known));
            None
        }
    }
}
