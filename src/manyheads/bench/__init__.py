"""What a service can do, measured from outside: it knows addresses and wires, and no model.

texts ─→ routes: bodies ─→ load: who asks when ─→ http ─→ a service
                                    └── samples ─→ report
"""
