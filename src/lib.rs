//! libparmap
