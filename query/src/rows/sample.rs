//! A small made-up store for tests: names without data.

use std::sync::Arc;

use throughline_engine::{
    AttrId, AttrType, Column, CustomerOrdinal, Error, IdentityOrdinal, Role, Schema, Subject,
};

use super::env::{Env, Names};
use super::{Cell, RowColumn, RowSchema, RowType, Tail, Typed};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{Expr, Op, OpKind, Statement};

/// Channels, in the order of their numbers; not in the order of their texts.
pub(super) const CHANNELS: [&str; 4] = ["twitter", "phone", "email", "app"];

/// Customers `crm:40`, `crm:39`, …: names descend as ordinals ascend.
pub(super) const CUSTOMERS: u32 = 40;

/// Identities `crm:40`, `phone:00`, `crm:39`, `phone:01`, …
pub(super) const IDENTITIES: u32 = 2 * CUSTOMERS;

pub(super) struct Sample {
    schema: Schema,
    plan: AttrId,
}

impl Sample {
    pub(super) fn new() -> Self {
        let mut schema = Schema::new();
        let (plan, _) =
            schema.declare(Subject::Customer, "plan", AttrType::Symbol, None).expect("a good name");
        Self { schema, plan }
    }

    pub(super) fn channel(&self) -> AttrId {
        self.schema.role(Role::Channel).expect("a core attribute").id
    }

    fn values(&self, attr: AttrId) -> &'static [&'static str] {
        if attr == self.plan {
            &["gold", "free"]
        } else if attr == self.channel() {
            &CHANNELS
        } else {
            &[]
        }
    }
}

impl Names for Sample {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn with_symbol(&self, attr: AttrId, symbol: u32, read: &mut dyn FnMut(&str)) {
        read(self.values(attr).get(symbol as usize).copied().unwrap_or_default());
    }

    fn find_symbol(&self, attr: AttrId, text: &str) -> Option<u32> {
        self.values(attr).iter().position(|value| *value == text).map(|symbol| symbol as u32)
    }

    fn symbol_count(&self, attr: AttrId) -> usize {
        self.values(attr).len()
    }

    fn find_customer(&self, identity: &str) -> Result<Option<CustomerOrdinal>, Error> {
        Ok((0..CUSTOMERS).find(|&customer| self.customer_name(customer).is_ok_and(|name| name == identity)))
    }

    fn find_identity(&self, identity: &str) -> Result<Option<IdentityOrdinal>, Error> {
        let mut all = (0..IDENTITIES).map(IdentityOrdinal);
        Ok(all.find(|&number| self.identity_name(number).is_ok_and(|name| name == identity)))
    }

    fn customer_name(&self, customer: CustomerOrdinal) -> Result<String, Error> {
        match CUSTOMERS.checked_sub(customer) {
            Some(key) => Ok(format!("crm:{key:02}")),
            None => Err(Error::invalid("no such customer")),
        }
    }

    fn identity_name(&self, IdentityOrdinal(identity): IdentityOrdinal) -> Result<String, Error> {
        // Each customer has two, and goes by the first.
        match (identity % 2, identity < IDENTITIES) {
            (_, false) => Err(Error::invalid("no such identity")),
            (0, true) => self.customer_name(identity / 2),
            (_, true) => Ok(format!("phone:{:02}", identity / 2)),
        }
    }

    fn customer_column(&self, _attr: AttrId) -> Result<Arc<Column>, Error> {
        // The first is on gold, the second on free, the third on nothing.
        Ok(Arc::new(Column::Symbol { codes: vec![1, 2, 0], dictionary: vec![0, 1] }))
    }
}

/// Columns that have every type.
pub(super) fn schema() -> RowSchema {
    let columns = [
        ("customer", RowType::Customer),
        ("channel", RowType::Text),
        ("note", RowType::Text),
        ("contacts", RowType::Int),
        ("sentiment", RowType::Float),
        ("at", RowType::Time),
        ("span", RowType::Duration),
        ("open", RowType::Bool),
        ("agents", RowType::List(Box::new(RowType::Text))),
        ("identity", RowType::Identity),
    ];
    RowSchema { columns: columns.map(|(name, ty)| RowColumn { name: name.into(), ty }).into() }
}

pub(super) fn attrs(sample: &Sample) -> Vec<Option<AttrId>> {
    let mut attrs = vec![None; schema().columns.len()];
    attrs[1] = Some(sample.channel());
    attrs
}

pub(super) fn ops(text: &str) -> Vec<Op> {
    match crate::syntax::parse(&format!("INTERACTIONS |> {text}")) {
        Ok(Statement::Query(query)) => query.ops.into_iter().skip(1).collect(),
        other => panic!("{text}: {other:?}"),
    }
}

pub(super) fn expr(text: &str) -> Expr {
    let kind = ops(&format!("EXTEND {text} AS x")).into_iter().next().map(|op| op.kind);
    match kind {
        Some(OpKind::Extend(items)) => items.into_iter().next().expect("one item").0,
        other => panic!("{text}: {other:?}"),
    }
}

/// The tail of a text, or what was found.
pub(super) fn tail(text: &str, want_sets: bool, env: &Env, sample: &Sample) -> Result<Tail, Vec<Diagnostic>> {
    let ops = ops(text);
    let mut sink = Vec::new();
    match Tail::compile(&ops, &schema(), &attrs(sample), want_sets, env, &mut sink) {
        Some((tail, taken)) => {
            assert_eq!(taken, ops.len(), "{text}");
            Ok(tail)
        }
        None => Err(sink),
    }
}

/// As the tests write cells: symbols, customers and texts alike, times and
/// durations in milliseconds with their unit.
pub(super) fn shown(cell: &Cell, env: &Env) -> String {
    match cell {
        Cell::Null => "NULL".into(),
        Cell::Bool(truth) => truth.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => format!("{number:?}"),
        Cell::Time(at) => crate::value::rfc3339(*at).expect("in range"),
        Cell::Duration(length) => format!("{length}ms"),
        Cell::List(items) => {
            format!("[{}]", items.iter().map(|item| shown(item, env)).collect::<Vec<_>>().join(" "))
        }
        text => text.as_text(env).map_or_else(|| "?".into(), |text| text.to_string()),
    }
}

/// Compiles over the columns of [`schema`].
pub(super) fn typed(text: &str, env: &Env, sample: &Sample, sink: &mut Vec<Diagnostic>) -> Option<Typed> {
    let (schema, attrs) = (schema(), attrs(sample));
    super::compile::compile(
        &expr(text),
        &super::tail::RowScope { schema: &schema, attrs: &attrs, env },
        env,
        sink,
    )
}
