"""How robust is a design? It is attacked with growing budgets; the raw trials make the findings and the report."""
