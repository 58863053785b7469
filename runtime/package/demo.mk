# The main job, from an empty database to a report.  With no DATABASE_URL the
# command starts the development server.  DATA=DIR takes CSV files of the
# Synthea shape instead of made ones; PATIENTS=N makes another number of them.
.PHONY: demo
demo: setup ## the clinic example from an empty database to a report
	@$(MAKE) --no-print-directory all
	$(B)/lunate run examples/clinic/demo.lua --work $(B)/demo \
		$(if $(DATA),--data $(abspath $(DATA))) \
		$(if $(PATIENTS),--patients $(PATIENTS))
