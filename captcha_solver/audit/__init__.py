"""How robust is a design? Attacks with growing budgets in, raw trials, findings and a report out."""
