//! The words of a synthetic history: a telephone and internet company's.

/// Stages of the lifecycle, in order.
pub(crate) const STAGES: [&str; 6] =
    ["awareness", "consideration", "purchase", "onboarding", "retention", "advocacy"];

/// Channels; the last two are public.
pub(crate) const CHANNELS: [&str; 8] =
    ["phone", "email", "chat", "app", "web", "store", "twitter", "review_site"];
pub(crate) const PHONE: u8 = 0;
pub(crate) const APP: u8 = 3;
pub(crate) const WEB: u8 = 4;
pub(crate) const STORE: u8 = 5;
pub(crate) const TWITTER: u8 = 6;
pub(crate) const REVIEW_SITE: u8 = 7;

/// What an interaction can be.
pub(crate) const KINDS: [&str; 12] = [
    "campaign",
    "visit",
    "quote",
    "purchase",
    "activation",
    "payment",
    "question",
    "complaint",
    "ticket",
    "callback",
    "review",
    "cancellation",
];
pub(crate) const CAMPAIGN: u8 = 0;
pub(crate) const VISIT: u8 = 1;
pub(crate) const QUOTE: u8 = 2;
pub(crate) const PURCHASE: u8 = 3;
pub(crate) const ACTIVATION: u8 = 4;
pub(crate) const PAYMENT: u8 = 5;
pub(crate) const QUESTION: u8 = 6;
pub(crate) const COMPLAINT: u8 = 7;
pub(crate) const TICKET: u8 = 8;
pub(crate) const CALLBACK: u8 = 9;
pub(crate) const REVIEW: u8 = 10;
pub(crate) const CANCELLATION: u8 = 11;

/// What it is about, the most frequent first.
pub(crate) const TOPICS: [&str; 40] = [
    "billing",
    "slow internet",
    "outage",
    "delivery",
    "login",
    "password reset",
    "contract",
    "roaming",
    "refund",
    "installation",
    "router",
    "sim card",
    "coverage",
    "data usage",
    "price change",
    "late fee",
    "payment method",
    "number porting",
    "technician visit",
    "invoice copy",
    "address change",
    "moving house",
    "device repair",
    "warranty",
    "returns",
    "promotion",
    "loyalty points",
    "tv box",
    "streaming",
    "parental control",
    "voicemail",
    "spam calls",
    "privacy",
    "app crash",
    "website error",
    "store visit",
    "upgrade",
    "downgrade",
    "family plan",
    "business account",
];

/// Agents are numbered from 1 to this.
pub(crate) const AGENTS: u32 = 400;
