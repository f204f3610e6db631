"""A module that jobs get through `py_modules`, as a team's own library would reach them."""
