//! INTERACTIONS: the interactions in sight, one a row.

use throughline_engine::{AttrId, AttrType, CustomerOrdinal, Subject};

use super::cells::attr_cells;
use super::flow::Flow;
use super::interaction::{identity_cell, symbols_of};
use super::operator::{Operator, Passed, Wanted, Work, Worker};
use crate::rows::{Cell, Env, Members, QueryLimit, RowBatch, RowColumn, RowSchema, RowType, Sets, row_type};

/// INTERACTIONS, resolved.
#[derive(Clone, Debug)]
pub(crate) struct InteractionsOperator {
    schema: RowSchema,
    attrs: Vec<Option<AttrId>>,
    fields: Vec<Field>,
    /// Only the first of each journey: enough where only customers are asked for.
    pub one_each: bool,
}

/// The place of the column `customer`.
const CUSTOMER: usize = 0;

#[derive(Clone, Copy, Debug)]
enum Field {
    Customer,
    Identity,
    At,
    Value(AttrId),
}

impl InteractionsOperator {
    /// Rows of every attribute of interactions.
    pub(crate) fn new(env: &Env) -> Self {
        let mut operator =
            Self { schema: RowSchema::default(), attrs: Vec::new(), fields: Vec::new(), one_each: false };
        operator.column("customer", RowType::Customer, Field::Customer, None);
        operator.column("identity", RowType::Identity, Field::Identity, None);
        operator.column("at", RowType::Time, Field::At, None);
        for attribute in env.snapshot.schema().attributes() {
            // An attribute called so gives way to the interaction's own.
            let taken =
                ["customer", "identity", "at"].iter().any(|own| attribute.name.eq_ignore_ascii_case(own));
            if attribute.subject == Subject::Interaction && !taken {
                let ty = if attribute.ty == AttrType::Bool { RowType::Bool } else { row_type(attribute.ty) };
                operator.column(&attribute.name, ty, Field::Value(attribute.id), symbols_of(attribute));
            }
        }
        operator
    }

    fn column(&mut self, name: &str, ty: RowType, field: Field, attr: Option<AttrId>) {
        self.schema.columns.push(RowColumn { name: name.to_owned(), ty });
        self.fields.push(field);
        self.attrs.push(attr);
    }

    /// The rows of a unit.
    fn rows(&self, flow: &Flow, wanted: Wanted<'_>, env: &Env) -> RowBatch {
        let block = flow.block();
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for journey in 0..block.customers.len() {
            if !flow.lives(journey) {
                continue;
            }
            let mut rows = block.journey(journey).filter(|&row| flow.sees(row));
            if self.one_each {
                taken.extend(rows.next().map(|row| (journey, row)));
            } else {
                taken.extend(rows.map(|row| (journey, row)));
            }
        }
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); self.fields.len()];
        for ((field, column), _) in
            self.fields.iter().zip(&mut columns).zip(wanted.columns).filter(|(_, needed)| **needed)
        {
            match field {
                Field::Customer => {
                    column.extend(taken.iter().map(|&(journey, _)| Cell::Customer(flow.customer(journey))))
                }
                Field::Identity => column.extend(taken.iter().map(|&(_, row)| identity_cell(block, row))),
                Field::At => {
                    column.extend(
                        taken
                            .iter()
                            .map(|&(_, row)| block.times.get(row).map_or(Cell::Null, |&at| Cell::Time(at))),
                    );
                }
                Field::Value(attr) => {
                    column.extend(attr_cells(block, *attr, taken.iter().map(|&(_, row)| row), env))
                }
            }
        }
        let members = wanted.members.then(|| {
            let member = |&(journey, row): &(usize, usize)| Members {
                customer: flow.customer(journey),
                places: [(flow.whole_row(row) - flow.whole_journey(journey).start) as u32].into(),
            };
            taken.iter().map(member).collect()
        });
        let customers = taken.iter().map(|&(journey, _)| flow.customer(journey)).collect();
        RowBatch { len: taken.len(), columns, sets: Sets::One(customers), members }
    }
}

impl Operator for InteractionsOperator {
    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn attrs(&self) -> &[Option<AttrId>] {
        &self.attrs
    }

    fn has_members(&self) -> bool {
        true
    }

    fn reads(&self, needed: &[bool]) -> Vec<AttrId> {
        let wanted = self.fields.iter().zip(needed).filter(|(_, needed)| **needed);
        wanted
            .filter_map(|(field, _)| match field {
                Field::Value(attr) => Some(*attr),
                Field::Identity => Some(AttrId::IDENTITY),
                Field::Customer | Field::At => None,
            })
            .collect()
    }

    fn rows_unread(&self, customers: &[CustomerOrdinal], wanted: Wanted<'_>) -> Option<RowBatch> {
        if !self.one_each || !wanted.only_customers(CUSTOMER) {
            return None;
        }
        let place = wanted.column(CUSTOMER).then_some(CUSTOMER);
        Some(RowBatch::of_customers(self.fields.len(), place, customers.to_vec()))
    }

    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        Box::new(InteractionsWorker { operator: self, wanted })
    }

    fn explain(&self) -> (&'static str, String) {
        ("INTERACTIONS", "one row an interaction in sight".to_owned())
    }
}

struct InteractionsWorker<'a> {
    operator: &'a InteractionsOperator,
    wanted: Wanted<'a>,
}

impl Worker for InteractionsWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, _passed: &mut Passed) -> Result<Work, QueryLimit> {
        Ok(Work::Rows(self.operator.rows(flow, self.wanted, env)))
    }
}
